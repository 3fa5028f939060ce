/**
 * Phrases that several messages share.
 */

/** Docker's `--env-file` and some service managers keep the quotes of `NAME="value"`. */
export const isQuoted = (text: string) => /^\s*(["'])[\s\S]*\1\s*$/.test(text) && text.trim().length > 1;

export const quoted = 'is in quotes, which do not belong to it';

export const didYouMean = (names: readonly string[]) => `did you mean ${names.join(' or ')}?`;

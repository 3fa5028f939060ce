/**
 * Phrases that several messages share.
 */

/** Docker's `--env-file` and some service managers keep the quotes of `NAME="value"`. */
export const isQuoted = (text: string) => /^\s*(["'])[\s\S]*\1\s*$/.test(text) && text.trim().length > 1;

export const quoted = 'is in quotes, which do not belong to it';

export const didYouMean = (names: readonly string[]) => `did you mean ${names.join(' or ')}?`;

/** How the file writes a path: `"server": { "port": … }`. */
export function nested(path: string): string {
  const names = path.split('.').map((name) => `"${name}": `);
  return `${names.join('{ ')}…${' }'.repeat(names.length - 1)}`;
}

/** A key that does not look like a name is not repeated: it may be a token in the wrong place. */
export const isName = (text: string) => /^([\w.$-]{1,32}|[A-Z_]{1,64})$/.test(text);

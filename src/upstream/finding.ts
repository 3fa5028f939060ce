/**
 * What a call says of the upstream as a whole.
 */
import type { Problem } from '../problems.ts';
import { unnamedLimit, unprivileged } from './error-meaning.ts';

/**
 * What came of a call: `answered`, if only to say no; `refused`: the credentials; `unprivileged`: the user to whom they belong;
 * `gone`: the API is withdrawn; `failed`: no sane answer; `second`, `day`: one of the account's limits; `limited`: a limit that
 * is not named.
 */
export type Finding = 'answered' | 'refused' | 'unprivileged' | 'gone' | 'failed' | 'second' | 'day' | 'limited';

/** What a failure says of the upstream, where it is not the question's own. */
export function findingOf({ code, reason = '' }: Problem): Finding {
  if (code === 'upstream-credentials-refused') return unprivileged.has(reason) ? 'unprivileged' : 'refused';
  if (code === 'upstream-gone') return 'gone';
  if (code === 'upstream-quota-exhausted') return 'day';
  if (reason === 'throttled') return 'second';
  if (reason === unnamedLimit) return 'limited';
  return /^http-[24]/.test(reason) ? 'answered' : 'failed';
}

export const isRefused = (finding: Finding) => finding === 'refused' || finding === 'unprivileged';

/** A no that stays one until a person acts. */
export const isFinal = (finding: Finding) => isRefused(finding) || finding === 'gone';

/** What an answer may ask to wait for: a limit of the account, named or not. */
export const isLimit = (finding: Finding) => finding === 'second' || finding === 'day' || finding === 'limited';

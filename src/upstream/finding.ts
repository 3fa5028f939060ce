/**
 * Classifies what a call reveals about the upstream as a whole.
 */
import type { Problem } from '../problems.ts';
import { unnamedLimit, unprivileged } from './error-meaning.ts';

/**
 * What a call reveals: `answered`: any sane response, including a refusal of the question; `refused`: bad credentials;
 * `unprivileged`: good credentials of a user who may not read reports; `gone`: the API is withdrawn; `failed`: no sane
 * response; `second`, `day`: one of the account's limits; `limited`: an unnamed limit.
 */
export type Finding = 'answered' | 'refused' | 'unprivileged' | 'gone' | 'failed' | 'second' | 'day' | 'limited';

/** Returns what a failure reveals about the upstream. */
export function findingOf({ code, reason = '' }: Problem): Finding {
  if (code === 'upstream-credentials-refused') return unprivileged.has(reason) ? 'unprivileged' : 'refused';
  if (code === 'upstream-gone') return 'gone';
  if (code === 'upstream-quota-exhausted') return 'day';
  if (reason === 'throttled') return 'second';
  if (reason === unnamedLimit) return 'limited';
  return /^http-[24]/.test(reason) ? 'answered' : 'failed';
}

export const isRefused = (finding: Finding) => finding === 'refused' || finding === 'unprivileged';

/** Whether the refusal lasts until a person acts. */
export const isFinal = (finding: Finding) => isRefused(finding) || finding === 'gone';

/** Whether it is a limit of the account, named or not. */
export const isLimit = (finding: Finding) => finding === 'second' || finding === 'day' || finding === 'limited';

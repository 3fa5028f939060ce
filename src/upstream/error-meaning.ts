/**
 * Maps Constant Contact's errors to problems and retries.
 */
import { Problem } from '../problems.ts';
import type { ErrorMeaning, ErrorReply } from './adapter.ts';
import { limitOf } from './limits.ts';

/** Reason of a problem with an unnamed limit. */
export const unnamedLimit = 'limit';

/** Reasons for good credentials of a user who may not read reports (vendor's documentation). */
export const unprivileged: ReadonlySet<string | undefined> = new Set(['access-denied', 'privileges']);

/** Reason for a path that v3's gateway does not have (recorded traffic), or for credentials. */
const noSuchPath = 'forbidden';

/** Whether a problem that not everyone has comes from the path instead of the ids in it. */
export const isOfPath = ({ reason }: Problem) => reason === noSuchPath || reason === 'gone';

/** Whether the API is withdrawn, in the form that Constant Contact used for its Events API and v1 (vendor's forum). */
const isGone = ({ status, error }: ErrorReply) => status === 410 || (status >= 400 && error.key === 'http.status.gone');

/** Whether v3's gateway does not know the path (observed traffic). */
export const hasNoPath = ({ status, error }: ErrorReply) => status === 403 && error.message === 'Forbidden';

/** Whether the user who authorized Sendgate may not read reports (vendor's documentation). */
export const isAccessDenied = ({ status, error }: ErrorReply) => status === 403 && error.key === 'access_denied';

/** @param hasFreeText whether the question contains caller text: a cursor */
export function meaningOf(reply: ErrorReply, hasFreeText = false): ErrorMeaning {
  const { status } = reply;
  const limit = limitOf(reply, hasFreeText);
  if (limit === 'second') {
    return { problem: new Problem('upstream-busy', { retryAfterSeconds: 1, reason: 'throttled' }), again: 'retry' };
  }
  if (limit === 'day') return { problem: new Problem('upstream-quota-exhausted', { reason: 'quota' }), again: 'never' };
  if (limit === 'unnamed') {
    return { problem: new Problem('upstream-failed', { reason: unnamedLimit }), again: 'retry' };
  }
  if (isGone(reply)) return { problem: new Problem('upstream-gone', { reason: 'gone' }), again: 'never' };
  // A 401 may be a limit in v2 (vendor's forum), or an ended token in v3.
  if (status === 401) return { problem: refused('http-401'), again: 'confirm' };
  if (status === 403) return { problem: refused(reasonOf403(reply)), again: 'never' };
  if (status === 404) return { problem: new Problem('campaign-not-found', { reason: 'http-404' }), again: 'never' };
  if (status === 400 && hasFreeText) {
    return { problem: new Problem('invalid-cursor', { reason: 'http-400' }), again: 'never' };
  }
  const reason = `http-${Math.floor(status / 100)}xx`;
  return { problem: new Problem('upstream-failed', { reason }), again: status >= 500 ? 'retry' : 'never' };
}

/** Refusal of a question about no campaign in particular: a 404 says nothing about one. */
export function meaningForLists(reply: ErrorReply, hasFreeText: boolean): ErrorMeaning {
  const meaning = meaningOf(reply, hasFreeText);
  if (meaning.problem.code !== 'campaign-not-found') return meaning;
  return { problem: new Problem('upstream-failed', { reason: 'http-4xx' }), again: 'never' };
}

/** Refusal of a question that contains only ids: a 400 is an unknown id. */
export function meaningForIds(reply: ErrorReply): ErrorMeaning {
  return reply.status === 400 && !isGone(reply)
    ? { problem: new Problem('campaign-not-found', { reason: 'http-400' }), again: 'never' }
    : meaningOf(reply);
}

const refused = (reason: string) => new Problem('upstream-credentials-refused', { reason });

function reasonOf403(reply: ErrorReply): string {
  if (isAccessDenied(reply)) return 'access-denied';
  return hasNoPath(reply) ? noSuchPath : 'http-403';
}

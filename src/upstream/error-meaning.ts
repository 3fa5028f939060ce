/**
 * What an error of Constant Contact's means.
 */
import { Problem } from '../problems.ts';
import type { ErrorMeaning, ErrorReply } from './adapter.ts';
import { limitOf } from './limits.ts';

/** The reason of a problem with a limit that is not named. */
export const unnamedLimit = 'limit';

/** The reasons of credentials that are good, of a user who may not read reports (vendor's documentation). */
export const unprivileged: ReadonlySet<string | undefined> = new Set(['access-denied', 'privileges']);

/** The reason of a problem with a path that v3's gateway does not have (recorded traffic), or with credentials. */
const noSuchPath = 'forbidden';

/** Whether a problem, if it is not everybody's, is the path's and not that of what was asked for. */
export const isOfPath = ({ reason }: Problem) => reason === noSuchPath || reason === 'gone';

/** Whether the API is withdrawn, as Constant Contact said it of its Events API and of v1 (vendor's forum). */
const isGone = ({ status, error }: ErrorReply) => status === 410 || (status >= 400 && error.key === 'http.status.gone');

/** Whether v3's gateway says that there is nothing at the path (observed traffic). */
export const hasNoPath = ({ status, error }: ErrorReply) => status === 403 && error.message === 'Forbidden';

/** Whether the user who authorized Sendgate may not read reports (vendor's documentation). */
export const isAccessDenied = ({ status, error }: ErrorReply) => status === 403 && error.key === 'access_denied';

/** @param hasFreeText whether the question has text in it that a caller has made up: a cursor */
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
  // A 401 may be v2's way of telling a limit (vendor's forum), or v3's of telling that a token has ended.
  if (status === 401) return { problem: refused('http-401'), again: 'confirm' };
  if (status === 403) return { problem: refused(reasonOf403(reply)), again: 'never' };
  if (status === 404) return { problem: new Problem('campaign-not-found', { reason: 'http-404' }), again: 'never' };
  if (status === 400 && hasFreeText) {
    return { problem: new Problem('invalid-cursor', { reason: 'http-400' }), again: 'never' };
  }
  const reason = `http-${Math.floor(status / 100)}xx`;
  return { problem: new Problem('upstream-failed', { reason }), again: status >= 500 ? 'retry' : 'never' };
}

/** What a refusal of a question means that has nothing but ids in it: a 400 is an unknown id. */
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

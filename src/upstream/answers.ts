/**
 * What the answers of both versions have in common: how errors are read, and what they mean.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import type { PageQuery } from '../model/page-query.ts';
import { Problem } from '../problems.ts';
import type { Refusal, Reply } from './adapter.ts';
import { errorKey, gatewayMessage } from './error-body.ts';
import { limitOf } from './limits.ts';

/** @throws Problem `upstream-failed` */
export function parseAnswer<T>(shape: z.ZodType<T>, body: string): T {
  let json: unknown;
  try {
    json = parseJson(body);
  } catch {
    // The SyntaxError quotes the body, so it ends here.
    throw new Problem('upstream-failed', { reason: 'malformed' });
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Problem('upstream-failed', { reason: 'schema' });
  return parsed.data;
}

/** A count. Documented as a number; a text that is one is taken for it. */
export const count = z
  .int()
  .nonnegative()
  .or(
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
  );

/** The reason of a problem with a limit that is not named. */
export const unnamedLimit = 'limit';

/** The reasons of credentials that are good, of a user who may not read reports (vendor's documentation). */
export const unprivileged: ReadonlySet<string | undefined> = new Set(['access-denied', 'privileges']);

/** The reason of a problem with a path that v3's gateway does not have (recorded traffic), or with credentials. */
const noSuchPath = 'forbidden';

/** Whether a problem, if it is not everybody's, is the path's and not that of what was asked for. */
export const isOfPath = ({ reason }: Problem) => reason === noSuchPath || reason === 'gone';

/** Whether the API is withdrawn, as Constant Contact has told it of its Events API and of v1 (vendor's forum). */
export const isGone = ({ status, body }: Pick<Reply, 'status' | 'body'>) =>
  status === 410 || (status >= 400 && errorKey(body) === 'http.status.gone');

/**
 * What a refusal means.
 *
 * @param query of a page; all other questions have nothing in them that a caller has made up but ids
 */
export function refusalOf(reply: Reply, query?: PageQuery): Refusal {
  const { status } = reply;
  const isBehindCursor = query?.kind === 'next';
  const limit = limitOf(reply, isBehindCursor);
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
  if (status === 400 && isBehindCursor) {
    return { problem: new Problem('invalid-cursor', { reason: 'http-400' }), again: 'never' };
  }
  const reason = `http-${Math.floor(status / 100)}xx`;
  return { problem: new Problem('upstream-failed', { reason }), again: status >= 500 ? 'retry' : 'never' };
}

function reasonOf403(reply: Reply): string {
  if (errorKey(reply.body) === 'access_denied') return 'access-denied';
  return hasNoPath(reply) ? noSuchPath : 'http-403';
}

/** Whether v3's gateway says that there is nothing at the path (observed traffic). */
export const hasNoPath = ({ status, body }: Reply) => status === 403 && gatewayMessage(body) === 'Forbidden';

const refused = (reason: string) => new Problem('upstream-credentials-refused', { reason });

/** What a refusal of a question means that has nothing but an id in it: a 400 is an unknown id. */
export function refusalOfId(reply: Reply): Refusal {
  return reply.status === 400 && !isGone(reply)
    ? { problem: new Problem('campaign-not-found', { reason: 'http-400' }), again: 'never' }
    : refusalOf(reply);
}

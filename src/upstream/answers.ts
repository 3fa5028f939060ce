/**
 * What the answers of both versions have in common: how errors are read, and what they mean.
 */
import { z } from 'zod';
import { parseJson } from '../json.ts';
import { Problem } from '../problems.ts';
import type { PageQuery, Refusal, Reply } from './dialect.ts';

const failure = z.object({ error_key: z.string() }).partial();
/** An array, or on some of v3's paths one bare object (vendor's documentation). The first of an array is all that counts. */
const failures = z.union([z.tuple([failure], z.unknown()), failure.transform((one) => [one])]);

/** The `error_key` of a refusal; undefined where there is none to be read. */
export function errorKey(body: string): string | undefined {
  try {
    return failures.parse(parseJson(body))[0]?.error_key;
  } catch {
    return undefined; // HTML or nothing, from a gateway in front: the status alone has to do.
  }
}

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

/**
 * A list of rows, read up to the first that is none: a schema for all of them would describe each mistake in each row, which
 * takes seconds where nothing is a row.
 */
export function rows<T>(row: z.ZodType<T>) {
  return z.array(z.unknown()).transform((all, context): T[] => {
    const read: T[] = [];
    for (const one of all) {
      const parsed = row.safeParse(one);
      if (!parsed.success) {
        context.addIssue('not a row');
        return z.NEVER;
      }
      read.push(parsed.data);
    }
    return read;
  });
}

/** Which of the account's limits an answer names; `unnamed`: none, as a firewall in front of the API may answer one question. */
export type Limit = 'second' | 'day' | 'unnamed';

/** The reason of a problem with a limit that is not named. */
export const unnamedLimit = 'http-429';

/** A refusal by its status. `limit`: the answer is the dialect's way of saying that one of the account's limits is spent. */
export function refusalOf({ status }: Pick<Reply, 'status'>, limit: Limit | undefined, query?: PageQuery): Refusal {
  if (limit === 'second') {
    return { problem: new Problem('upstream-busy', { retryAfterSeconds: 1, reason: 'throttled' }), again: 'retry' };
  }
  if (limit === 'day') return { problem: new Problem('upstream-quota-exhausted', { reason: 'quota' }), again: 'never' };
  if (limit === 'unnamed') {
    return { problem: new Problem('upstream-failed', { reason: unnamedLimit }), again: 'retry' };
  }
  // A 401 may be v2's way of telling a limit (vendor's forum), or v3's of telling that a token has ended.
  if (status === 401) return { problem: refused('http-401'), again: 'confirm' };
  if (status === 403) return { problem: refused('http-403'), again: 'never' };
  if (status === 404) return { problem: new Problem('campaign-not-found', { reason: 'http-404' }), again: 'never' };
  if (status === 400 && query?.cursor !== undefined) {
    return { problem: new Problem('invalid-cursor', { reason: 'http-400' }), again: 'never' };
  }
  const reason = `http-${Math.floor(status / 100)}xx`;
  return { problem: new Problem('upstream-failed', { reason }), again: status >= 500 ? 'retry' : 'never' };
}

const refused = (reason: string) => new Problem('upstream-credentials-refused', { reason });

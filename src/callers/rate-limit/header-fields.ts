/**
 * `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-08), under the name of the team.
 *
 * They are those of express-rate-limit's `draft-8`, but made here: it hashes the client's key at every request, which cost a
 * sixth of a hit, without a salt, and it reads the time from another clock.
 */
import { createHmac } from 'node:crypto';
import { inOnePiece } from '../../http/header-block.ts';
import type { Client } from './client-key.ts';
import { type Window, windowMs } from './counter.ts';

/**
 * Lines of a response's header. Names of policies hold no quote: nothing in here has to be checked.
 *
 * @param salt of `pk`, by which clients are told apart: an address could be guessed from a plain digest
 * @param now monotonic time in milliseconds
 */
export function rateLimitFields({ key, policy, limit }: Client, window: Window, salt: string, now: number): string {
  window.policyField ??= inOnePiece(
    `RateLimit-Policy: "${policy}"; q=${limit}; w=${windowMs / 1000}; pk=:${partitionKey(key, salt)}:\r\n`,
  );
  const remaining = Math.max(0, limit - window.used);
  return `RateLimit: "${policy}"; r=${remaining}; t=${window.secondsLeft(now)}\r\n${window.policyField}`;
}

/** The same in all responses to a client, and of no meaning without the salt. */
function partitionKey(key: string, salt: string): string {
  return createHmac('sha256', salt).update(key).digest().subarray(0, 9).toString('base64');
}

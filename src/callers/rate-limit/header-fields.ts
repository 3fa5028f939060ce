/**
 * Formats `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-08) under the team's name.
 *
 * Equal to express-rate-limit's `draft-8`, which is not used because it hashes the client's key at every request (a sixth of a
 * hit), has no salt, and reads another clock.
 */
import { createHmac } from 'node:crypto';
import { inOnePiece } from '../../http/header-block.ts';
import type { Client } from './client-key.ts';
import { type Window, windowMs } from './counter.ts';

/**
 * Formats header lines of a response. Needs no validation: policy names hold no quotes.
 *
 * @param salt of `pk`, which identifies the client: an address could be guessed from an unsalted digest
 * @param now monotonic time in milliseconds
 */
export function rateLimitFields({ key, policy, limit }: Client, window: Window, salt: string, now: number): string {
  if (window.policy?.limit !== limit) {
    const field = `RateLimit-Policy: "${policy}"; q=${limit}; w=${windowMs / 1000}; pk=:${partitionKey(key, salt)}:\r\n`;
    window.policy = { text: inOnePiece(field), limit };
  }
  const remaining = Math.max(0, limit - window.used);
  return `RateLimit: "${policy}"; r=${remaining}; t=${window.secondsLeft(now)}\r\n${window.policy.text}`;
}

/** A client's constant key; meaningless without the salt. */
function partitionKey(key: string, salt: string): string {
  return createHmac('sha256', salt).update(key).digest().subarray(0, 9).toString('base64');
}

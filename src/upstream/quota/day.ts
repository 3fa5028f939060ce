/**
 * Constant Contact's day: its quota comes back at 00:00:00 UTC.
 */
import { Problem } from '../../problems.ts';

export const dayMs = 86_400_000;

/** Wall time in milliseconds of the next 00:00:00 UTC. */
export function endOfDay(nowMs: number): number {
  return (Math.floor(nowMs / dayMs) + 1) * dayMs;
}

export function quotaExhausted(nowMs: number): Problem {
  const retryAfterSeconds = Math.ceil((endOfDay(nowMs) - nowMs) / 1000);
  return new Problem('upstream-quota-exhausted', { retryAfterSeconds, reason: 'quota' });
}

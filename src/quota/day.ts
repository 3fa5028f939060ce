/**
 * Constant Contact's day: the quota resets at 00:00:00 UTC.
 */
import { Problem } from '../problems.ts';

export const dayMs = 86_400_000;

/** Now, on both clocks, in milliseconds. */
export interface Now {
  readonly wall: number;
  readonly monotonic: number;
}

/** Days since 1970-01-01 UTC. */
export const dayOf = (nowMs: number) => Math.floor(nowMs / dayMs);

/** Wall time of the next 00:00:00 UTC, in milliseconds. */
export function endOfDay(nowMs: number): number {
  return (dayOf(nowMs) + 1) * dayMs;
}

/** Whole seconds until the day ends; at most a day, even if the clock was set back to before it. */
export function secondsLeft(nowMs: number, endsAt: number): number {
  return Math.min(Math.max(1, Math.ceil((endsAt - nowMs) / 1000)), dayMs / 1000);
}

/** The problem when the account's daily quota is spent. */
export function quotaExhausted(nowMs: number, endsAt = endOfDay(nowMs)): Problem {
  return new Problem('upstream-quota-exhausted', { retryAfterSeconds: secondsLeft(nowMs, endsAt), reason: 'quota' });
}

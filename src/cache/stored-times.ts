/**
 * The times of a stored page or refusal, as far as they can be right.
 */

interface Limits {
  readonly maxFreshSeconds: number;
  readonly staleIfErrorSeconds: number;
  /** How long a refusal is remembered. */
  readonly notFoundSeconds: number;
}

/** Wall times in milliseconds. */
interface Times {
  readonly fetchedAt: number;
  /** Until when it is fresh, or the refusal is remembered. */
  readonly until: number;
  /** When it may no longer be served at all. */
  readonly goneAt: number;
}

/** As they were stored. */
interface StoredTimes extends Omit<Times, 'goneAt'> {
  readonly kind: 'page' | 'refusal';
}

/**
 * Tolerated difference between the wall clocks of two processes, or of one before and after it was set. What is from further
 * ahead is stale: nobody knows its age.
 */
export const maxAheadMs = 5_000;

/** @param now wall time */
export function timesOf(stored: StoredTimes, now: number, limits: Limits): Times {
  const { maxFreshSeconds, staleIfErrorSeconds, notFoundSeconds } = limits;
  const [longest, kept] = stored.kind === 'page' ? [maxFreshSeconds, staleIfErrorSeconds] : [notFoundSeconds, 0];
  const fetchedAt = Math.min(stored.fetchedAt, now);
  const isBelievable = stored.fetchedAt <= now + maxAheadMs;
  const freshMs = isBelievable ? Math.min(Math.max(0, stored.until - stored.fetchedAt), longest * 1000) : 0;
  const until = fetchedAt + freshMs;
  return { fetchedAt, until, goneAt: until + kept * 1000 };
}

/**
 * How long a page may be answered without asking again.
 *
 * Constant Contact sends no caching headers, so this is the heuristic of RFC 9111 §4.2.2 with the newest
 * `send_date` on the page as its Last-Modified: a tenth of its age, within configured bounds.
 */
export interface FreshnessLimits {
  readonly minFreshSeconds: number;
  readonly maxFreshSeconds: number;
}

/** RFC 9111 §4.2.2 names 10 % as the typical fraction. */
const fractionOfAge = 0.1;

/**
 * The time in milliseconds for which a page stays fresh after `nowMs`.
 *
 * @param newestMs the newest `send_date` on the page; undefined on an empty page, or when no date can be read
 */
export function freshForMs(newestMs: number | undefined, nowMs: number, limits: FreshnessLimits): number {
  const minMs = limits.minFreshSeconds * 1000;
  if (newestMs === undefined) return minMs;
  return Math.min(Math.max((nowMs - newestMs) * fractionOfAge, minMs), limits.maxFreshSeconds * 1000);
}

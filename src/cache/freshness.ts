/**
 * How long a page may be answered without asking again.
 *
 * Constant Contact sends no caching headers, so this is the heuristic of RFC 9111 §4.2.2 with the newest
 * `send_date` on the page as its Last-Modified: a tenth of its age, within configured bounds.
 */
import type { Page } from './page.ts';

export interface FreshnessLimits {
  readonly minFreshSeconds: number;
  readonly maxFreshSeconds: number;
}

/** How old a page may be when it is answered. */
export interface AgeLimits {
  /** How often a caller may have a page revalidated that is fresh. */
  readonly minFreshSeconds: number;
  /** How long past its freshness a page may be served, when the upstream has no better one. */
  readonly staleIfErrorSeconds: number;
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

/** Whether a page is so stale that an error is better. `nowMs` is monotonic. */
export function isGone({ freshUntil }: Page, nowMs: number, { staleIfErrorSeconds }: AgeLimits): boolean {
  return nowMs >= freshUntil + staleIfErrorSeconds * 1000;
}

/**
 * Whether a page must not be answered, though it may be fresh: it is gone, of another generation, or too old for this caller,
 * unless that was tried less than `minFreshSeconds` ago. `nowMs` is monotonic.
 */
export function mustRevalidate(
  page: Page,
  generation: number,
  maxAgeSeconds: number | undefined,
  nowMs: number,
  limits: AgeLimits,
): boolean {
  const { fetchedAt, failedAt } = page;
  if (isGone(page, nowMs, limits) || (page.generation !== generation && failedAt === undefined)) return true;
  if (maxAgeSeconds === undefined) return false;
  return nowMs - fetchedAt > maxAgeSeconds * 1000 && nowMs - (failedAt ?? fetchedAt) >= limits.minFreshSeconds * 1000;
}

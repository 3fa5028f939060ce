/**
 * Calculates how long a page stays fresh.
 *
 * Constant Contact sends no caching headers, so this is the heuristic of RFC 9111 §4.2.2 with the newest date on the page as
 * its Last-Modified: a tenth of its age, within bounds.
 */
import type { Resource } from '../model/resource.ts';
import type { Page } from './page.ts';

export interface FreshnessLimits {
  readonly minFreshSeconds: number;
  readonly maxFreshSeconds: number;
}

/** Bounds on the age of a served page. */
export interface AgeLimits {
  /** Shortest time between two revalidations that callers force on a fresh page. */
  readonly minFreshSeconds: number;
  /** How long a stale page may be served while the upstream fails. */
  readonly staleIfErrorSeconds: number;
}

/** Bounds in seconds of what is not a report: campaigns are added and change at any time; counts move for weeks. */
const bounds = { directory: { min: 60, max: 300 }, campaign: { min: 300, max: 86_400 } } as const;

/** Returns the bounds for a resource: a report's are configured, and no other stays fresh longer than it may. */
export function limitsOf({ freshness }: Pick<Resource, 'freshness'>, configured: FreshnessLimits): FreshnessLimits {
  if (freshness === 'report') return configured;
  const { min, max } = bounds[freshness];
  const atMost = (seconds: number) => Math.min(seconds, configured.maxFreshSeconds);
  return { minFreshSeconds: atMost(min), maxFreshSeconds: atMost(max) };
}

/** RFC 9111 §4.2.2 names 10 % as the typical fraction. */
const fractionOfAge = 0.1;

/**
 * Returns the milliseconds for which a page stays fresh after `nowMs`.
 *
 * @param newestMs the newest date on the page; undefined if the page is empty or has no readable date
 */
export function freshForMs(newestMs: number | undefined, nowMs: number, limits: FreshnessLimits): number {
  const minMs = limits.minFreshSeconds * 1000;
  if (newestMs === undefined) return minMs;
  return Math.min(Math.max((nowMs - newestMs) * fractionOfAge, minMs), limits.maxFreshSeconds * 1000);
}

/** Whether a page is too stale to serve instead of an error. `nowMs` is monotonic. */
export function isGone({ freshUntil }: Page, nowMs: number, { staleIfErrorSeconds }: AgeLimits): boolean {
  return nowMs >= freshUntil + staleIfErrorSeconds * 1000;
}

/**
 * Whether a page must be revalidated before it is served, fresh or not: its `staleIfError` time is over, its generation has
 * passed, or this caller wants a newer one and the last try is at least `minFreshSeconds` ago. `nowMs` is monotonic.
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

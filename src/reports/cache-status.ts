/**
 * The cache's part in an answer, as a `Cache-Status` field (RFC 9211).
 */

import type { Found } from '../cache/page-cache.ts';
import type { CacheOutcome } from '../observability/request-record.ts';

/**
 * For instance `sendgate; hit; ttl=41`, `sendgate; hit; ttl=41; detail=shared` (from the pages of all instances),
 * `sendgate; hit; ttl=-30; detail=stale-if-error` or `sendgate; fwd=uri-miss; fwd-status=200; stored`.
 *
 * @param nowMs monotonic
 */
export function cacheStatus({ page, forward, collapsed, shared, stored }: Found, nowMs: number): string {
  if (forward !== undefined) {
    return `sendgate; fwd=${forward}; fwd-status=200${collapsed ? '; collapsed' : ''}${stored ? '; stored' : ''}`;
  }
  const ttl = Math.ceil((page.freshUntil - nowMs) / 1000);
  if (ttl > 0) return `sendgate; hit; ttl=${ttl}${shared ? '; detail=shared' : ''}`;
  const stale = `; detail=${page.failedAt === undefined ? 'stale-while-revalidate' : 'stale-if-error'}`;
  return `sendgate; hit; ttl=${ttl}${stale}`;
}

/** The same as one word, for metrics and the access log. */
export function cacheOutcome({ page, forward, collapsed, shared }: Found, nowMs: number): CacheOutcome {
  if (forward !== undefined) return collapsed ? 'collapsed' : 'miss';
  if (page.freshUntil <= nowMs) return 'stale';
  return shared ? 'shared' : 'fresh';
}

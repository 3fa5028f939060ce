/**
 * The cache outcome of a response, as a `Cache-Status` field (RFC 9211).
 */

import type { Lookup } from '../cache/page-source.ts';
import type { CacheOutcome } from '../observability/request-record.ts';

/**
 * Formats `sendgate; hit; ttl=41`, `sendgate; hit; ttl=41; detail=shared` (from Redis),
 * `sendgate; hit; ttl=-30; detail=stale-if-error` or `sendgate; fwd=uri-miss; fwd-status=200; stored`.
 *
 * @param nowMs monotonic
 */
export function cacheStatus({ page, outcome }: Lookup, nowMs: number): string {
  if (outcome.kind === 'forwarded') {
    const { why, collapsed, stored } = outcome;
    return `sendgate; fwd=${why}; fwd-status=200${collapsed ? '; collapsed' : ''}${stored ? '; stored' : ''}`;
  }
  const ttl = Math.ceil((page.freshUntil - nowMs) / 1000);
  if (ttl > 0) return `sendgate; hit; ttl=${ttl}${outcome.shared ? '; detail=shared' : ''}`;
  const stale = `; detail=${page.failedAt === undefined ? 'stale-while-revalidate' : 'stale-if-error'}`;
  return `sendgate; hit; ttl=${ttl}${stale}`;
}

/** Returns the outcome as one word, for metrics and the access log. */
export function cacheOutcome({ page, outcome }: Lookup, nowMs: number): CacheOutcome {
  if (outcome.kind === 'forwarded') return outcome.collapsed ? 'collapsed' : 'miss';
  if (page.freshUntil <= nowMs) return 'stale';
  return outcome.shared ? 'shared' : 'fresh';
}

/**
 * What log, metrics and traces have of a request. Never an address, a cursor or a query string.
 */
export const cacheOutcomes = ['fresh', 'shared', 'stale', 'miss', 'collapsed'] as const;

/** The cache's part in a response, in one word. */
export type CacheOutcome = (typeof cacheOutcomes)[number];

/** Filled in while the request is handled. */
export interface RequestRecord {
  route: string;
  team: string;
  campaign?: string | undefined;
  cache?: CacheOutcome | undefined;
  /** Code of the problem that was the response. */
  problem?: string | undefined;
  /** Why the upstream failed, out of a closed set. */
  reason?: string | undefined;
}

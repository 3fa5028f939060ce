/**
 * The record of a request for log, metrics and traces. Never holds an address, a cursor or a query string.
 */
import type { ServedName } from '../model/resource.ts';

export const cacheOutcomes = ['fresh', 'shared', 'stale', 'miss', 'collapsed'] as const;

/** Cache outcome of a response. */
export type CacheOutcome = (typeof cacheOutcomes)[number];

/** Per-request record; handlers fill it in. */
export interface RequestRecord {
  route: string;
  team: string;
  /** The resource that was asked for; undefined for other routes. */
  report?: ServedName | undefined;
  campaign?: string | undefined;
  cache?: CacheOutcome | undefined;
  /** Code of the problem, if the response was one. */
  problem?: string | undefined;
  /** Why the upstream failed, from a closed set. */
  reason?: string | undefined;
}

/**
 * Counts responses in plain numbers. Prometheus metrics are computed from them at each scrape, not at each response.
 */
import type { CacheOutcome, RequestRecord } from './request-record.ts';

/** Upper bounds in seconds, from a hit in memory to a slow upstream. */
export const latencyBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20,
];

/** Responses with the same route, team, status and cache outcome. */
export interface Tallied extends Pick<RequestRecord, 'route' | 'report' | 'team'> {
  readonly cache: CacheOutcome | undefined;
  readonly status: number;
  count: number;
  /** Total of all responses. */
  seconds: number;
  /** Responses per bucket: up to each bound and above the one before; the last bucket is above all bounds. */
  readonly byLatency: number[];
}

/** Needs no bound: routes, each of one report, teams and outcomes are few, and so are their combinations. */
export class Tally {
  readonly #tallied = new Map<string, Tallied>();
  /** What was counted last, and most often next. */
  #newest: Tallied | undefined;

  add(record: RequestRecord, status: number, seconds: number): void {
    const tallied = this.#of(record, status);
    tallied.count++;
    tallied.seconds += seconds;
    let bucket = 0;
    while (bucket < latencyBuckets.length && seconds > (latencyBuckets[bucket] ?? 0)) bucket++;
    tallied.byLatency[bucket] = (tallied.byLatency[bucket] ?? 0) + 1;
  }

  /** Adds the counts of another tally. */
  include(others: readonly Tallied[]): void {
    for (const other of others) {
      const own = this.#of(other, other.status);
      own.count += other.count;
      own.seconds += other.seconds;
      for (const [bucket, count] of other.byLatency.entries())
        own.byLatency[bucket] = (own.byLatency[bucket] ?? 0) + count;
    }
  }

  get all(): readonly Tallied[] {
    return [...this.#tallied.values()];
  }

  #of(
    {
      route,
      report,
      team,
      cache,
    }: Pick<RequestRecord, 'route' | 'report' | 'team'> & { cache?: CacheOutcome | undefined },
    status: number,
  ): Tallied {
    const newest = this.#newest;
    if (newest?.route === route && newest.status === status && newest.team === team && newest.cache === cache) {
      return newest;
    }
    const key = `${route} ${status} ${team} ${cache}`;
    let tallied = this.#tallied.get(key);
    if (!tallied) {
      const byLatency = [...latencyBuckets, Number.POSITIVE_INFINITY].map(() => 0);
      tallied = { route, report, status, team, cache, count: 0, seconds: 0, byLatency };
      this.#tallied.set(key, tallied);
    }
    this.#newest = tallied;
    return tallied;
  }
}

/**
 * Answers, counted in plain numbers: what Prometheus is told is made of them when it asks, not at every answer.
 */
import type { CacheOutcome, RequestRecord } from './request-record.ts';

/** Upper bounds in seconds, from a hit in memory to an upstream that takes its time. */
export const latencyBuckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20,
];

/** Answers that have all of this in common. */
export interface Tallied extends Pick<RequestRecord, 'route' | 'team'> {
  readonly cache: CacheOutcome | undefined;
  readonly status: number;
  count: number;
  /** All together. */
  seconds: number;
  /** How many took no longer than each bound, and longer than the one before; the last: longer than all. */
  readonly byLatency: number[];
}

/** Routes, teams and outcomes are few, and so are the combinations of them. */
export class Tally {
  readonly #tallied = new Map<string, Tallied>();

  add(record: RequestRecord, status: number, seconds: number): void {
    const tallied = this.#of(record, status);
    tallied.count++;
    tallied.seconds += seconds;
    let bucket = 0;
    while (bucket < latencyBuckets.length && seconds > (latencyBuckets[bucket] ?? 0)) bucket++;
    tallied.byLatency[bucket] = (tallied.byLatency[bucket] ?? 0) + 1;
  }

  /** Adds what another one has counted. */
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
    { route, team, cache }: Pick<RequestRecord, 'route' | 'team'> & { cache?: CacheOutcome | undefined },
    status: number,
  ): Tallied {
    const key = `${route} ${status} ${team} ${cache}`;
    let tallied = this.#tallied.get(key);
    if (!tallied) {
      const byLatency = [...latencyBuckets, Number.POSITIVE_INFINITY].map(() => 0);
      tallied = { route, status, team, cache, count: 0, seconds: 0, byLatency };
      this.#tallied.set(key, tallied);
    }
    return tallied;
  }
}

/**
 * Counts the requests of all workers in the primary, without Redis.
 */
import { LRUCache } from 'lru-cache';
import type { SharedCounter } from '../callers/rate-limit/shared-counter.ts';
import type { Clock } from '../clock.ts';
import { upTo } from '../model/lru.ts';

/** Clients tracked; beyond that, the least recently seen is evicted. */
const maxCounted = 100_000;

export class PrimaryCounter implements SharedCounter {
  readonly isUp = true;
  readonly #clock: Clock;
  readonly #counts = new LRUCache<string, { readonly total: number; readonly endsAt: number }>(upTo(maxCounted));

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async add(key: string, count: number, leftMs: number): Promise<{ total: number; leftMs: number }> {
    const now = this.#clock.monotonic();
    const known = this.#counts.get(key);
    const isOver = !known || known.endsAt <= now;
    const total = (isOver ? 0 : known.total) + count;
    const endsAt = isOver ? now + leftMs : known.endsAt;
    this.#counts.set(key, { total, endsAt });
    return { total, leftMs: endsAt - now };
  }
}

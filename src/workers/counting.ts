/**
 * The requests of all workers, counted by the primary.
 */
import { LRUCache } from 'lru-cache';
import type { Counting } from '../callers/rate-limit/rate-limit.ts';
import type { Clock } from '../clock.ts';

/** As many as there may be in all workers; past it the longest unseen is forgotten. */
const maxCounted = 100_000;

export class CountingHere implements Counting {
  readonly isUp = true;
  readonly #clock: Clock;
  readonly #counts = new LRUCache<string, { readonly total: number; readonly endsAt: number }>({ max: maxCounted });

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

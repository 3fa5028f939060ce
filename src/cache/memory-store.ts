/**
 * An in-memory LRU store bounded in bytes.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';

/** Approximate bookkeeping per entry: objects, map slots, list links. */
export const entryOverheadBytes = 600;

const inTime = { allowStale: false };

export class MemoryStore<V extends object> {
  readonly #entries: LRUCache<string, V>;
  readonly #clock: Clock;
  #maxBytes: number;

  /**
   * @param maxBytes of all entries; a larger entry is not stored
   * @param bytesOf size of a value, without its key and bookkeeping
   */
  constructor(clock: Clock, maxBytes: number, bytesOf: (value: V) => number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
    this.#entries = new LRUCache<string, V>({
      // lru-cache cannot change `maxSize`, so `#evict` keeps to the bound.
      maxSize: Number.MAX_SAFE_INTEGER,
      maxEntrySize: entryBound(maxBytes),
      sizeCalculation: (value, key) => entryOverheadBytes + key.length * 2 + bytesOf(value),
      // Every entry sets its own; without a default, lru-cache ignores them.
      ttl: 1,
      ttlResolution: 0,
      perf: { now: () => clock.monotonic() },
      // Without it `keys` skips stale entries, and a purge would leave them.
      allowStale: true,
      noDeleteOnStaleGet: true,
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** Changes the bound. Evicts the least recently used entries that exceed it. */
  set maxBytes(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#entries.maxEntrySize = entryBound(maxBytes);
    this.#evict();
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Returns the value if it has not expired. Counts as a use. */
  get(key: string): V | undefined {
    return this.#entries.get(key, inTime);
  }

  /** Returns the value at any age. Does not count as a use. */
  peek(key: string): V | undefined {
    return this.#entries.peek(key);
  }

  /** @param forMs time to live; 0 or less stores an expired value, which only `peek` returns */
  set(key: string, value: V, forMs: number): void {
    if (forMs > 0) this.#entries.set(key, value, { ttl: Math.ceil(forMs) });
    else this.#entries.set(key, value, { ttl: 1, start: this.#clock.monotonic() - 2 });
    this.#evict();
  }

  /** Remaining time to live in milliseconds; 0 if there is none. */
  remainingMs(key: string): number {
    return Math.max(0, this.#entries.getRemainingTTL(key));
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Deletes the entries that match. Returns their number. */
  deleteAll(isOne: (key: string, value: V) => boolean): number {
    const found = [...this.#entries.entries()].filter(([key, value]) => isOne(key, value));
    for (const [key] of found) this.#entries.delete(key);
    return found.length;
  }

  #evict(): void {
    while (this.bytes > this.#maxBytes && this.count > 0) this.#entries.pop();
  }
}

/** Largest entry, as lru-cache takes it. */
const entryBound = (maxBytes: number) => Math.max(1, Math.floor(maxBytes));

/**
 * What is held in memory: bounded in bytes, the least recently used evicted first.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';

/** Objects, map slots and list links around an entry, roughly. */
export const entryOverheadBytes = 600;

const inTime = { allowStale: false };

export class MemoryStore<V extends object> {
  readonly #entries: LRUCache<string, V>;
  readonly #clock: Clock;

  /**
   * @param maxBytes of all entries; one that is larger by itself is not held
   * @param bytesOf what a value takes beside its key and the entry around it
   */
  constructor(clock: Clock, maxBytes: number, bytesOf: (value: V) => number) {
    this.#clock = clock;
    this.#entries = new LRUCache<string, V>({
      maxSize: Math.max(1, Math.floor(maxBytes)),
      sizeCalculation: (value, key) => entryOverheadBytes + key.length * 2 + bytesOf(value),
      // Every entry brings its own; without a default, none would be looked at.
      ttl: 1,
      ttlResolution: 0,
      perf: { now: () => clock.monotonic() },
      // Without it, `keys` leaves out what is stale, and a purge would leave it in.
      allowStale: true,
      noDeleteOnStaleGet: true,
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** The value, while its time is not over. It counts as used. */
  get(key: string): V | undefined {
    return this.#entries.get(key, inTime);
  }

  /** The value, however old. It does not count as used. */
  peek(key: string): V | undefined {
    return this.#entries.peek(key);
  }

  /** @param forMs how long `get` returns it; not at all if that is not positive */
  set(key: string, value: V, forMs: number): void {
    if (forMs > 0) this.#entries.set(key, value, { ttl: Math.ceil(forMs) });
    else this.#entries.set(key, value, { ttl: 1, start: this.#clock.monotonic() - 2 });
  }

  /** How long `get` will return the value, in milliseconds; 0 when there is none. */
  remainingMs(key: string): number {
    return Math.max(0, this.#entries.getRemainingTTL(key));
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Deletes the entries with these keys. Returns how many there were. */
  deleteAll(isOne: (key: string) => boolean): number {
    const keys = [...this.#entries.keys()].filter(isOne);
    for (const key of keys) this.#entries.delete(key);
    return keys.length;
  }
}

/**
 * Pages in memory: those that cost a call, and views, each with its own bound.
 */
import type { Clock } from '../clock.ts';
import type { Held } from './fetched.ts';
import { isOfCampaign, type PageKey } from './keys.ts';
import { MemoryStore } from './memory-store.ts';

export interface HeldPagesOptions {
  /** Bytes for everything: contents, keys and bookkeeping. */
  readonly maxBytes: number;
  /**
   * Part of `maxBytes` for views. Views cost no call: without their own bound, a caller who requests one instant after
   * another could evict all pages.
   */
  readonly maxViewBytes: number;
}

const bytesOf = (held: Held) => (held.kind === 'page' ? held.body.br.length : 0);

export class HeldPages {
  readonly #pages: MemoryStore<Held>;
  readonly #views: MemoryStore<Held>;

  constructor(clock: Clock, { maxBytes, maxViewBytes }: HeldPagesOptions) {
    this.#pages = new MemoryStore(clock, maxBytes - maxViewBytes, bytesOf);
    this.#views = new MemoryStore(clock, maxViewBytes, bytesOf);
  }

  /** Changes the bounds. Evicts the least recently used entries that exceed them. */
  resize({ maxBytes, maxViewBytes }: HeldPagesOptions): void {
    this.#pages.maxBytes = maxBytes - maxViewBytes;
    this.#views.maxBytes = maxViewBytes;
  }

  get bytes(): number {
    return this.#pages.bytes + this.#views.bytes;
  }

  get count(): number {
    return this.#pages.count + this.#views.count;
  }

  /** Returns the entry if it has not expired. Counts as a use. */
  get(key: PageKey): Held | undefined {
    return this.#storeOf(key).get(key.text);
  }

  /** Returns the entry at any age. Does not count as a use. */
  peek(key: PageKey): Held | undefined {
    return this.#storeOf(key).peek(key.text);
  }

  /** Stores an entry. Returns false if it exceeds the whole bound and is not stored. */
  set(key: PageKey, held: Held, forMs: number): boolean {
    const store = this.#storeOf(key);
    store.set(key.text, held, forMs);
    return store.peek(key.text) === held;
  }

  delete(key: PageKey): void {
    this.#storeOf(key).delete(key.text);
  }

  remainingMs(key: PageKey): number {
    return this.#storeOf(key).remainingMs(key.text);
  }

  /** Removes the entries of a campaign, or all (undefined). Returns their number. */
  forget(campaign: string | undefined): number {
    return [this.#pages, this.#views].reduce((sum, store) => sum + store.deleteAll(isOfCampaign(campaign)), 0);
  }

  #storeOf({ isView }: PageKey): MemoryStore<Held> {
    return isView ? this.#views : this.#pages;
  }
}

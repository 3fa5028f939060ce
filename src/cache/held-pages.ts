/**
 * What the page cache holds in memory: pages that cost a call, and views, each with a bound.
 */
import type { Clock } from '../clock.ts';
import type { Held } from './fetched.ts';
import { isOfCampaign, type PageKey } from './keys.ts';
import { MemoryStore } from './memory-store.ts';

export interface HeldPagesOptions {
  /** Bytes of all that is held: contents, the keys, and what it takes to keep them. */
  readonly maxBytes: number;
  /**
   * Bytes among them for views. They cost no call, so without a bound of their own a caller who asks from one instant after
   * the other could evict everybody's pages.
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

  get bytes(): number {
    return this.#pages.bytes + this.#views.bytes;
  }

  get count(): number {
    return this.#pages.count + this.#views.count;
  }

  /** What is held, while its time is not over. It counts as used. */
  get(key: PageKey): Held | undefined {
    return this.#storeOf(key).get(key.text);
  }

  /** What is held, however old. It does not count as used. */
  peek(key: PageKey): Held | undefined {
    return this.#storeOf(key).peek(key.text);
  }

  /** Returns whether it is held: not if it is larger than all that may be. */
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

  /** Forgets what is held of a campaign, or all (undefined). Returns how much that was. */
  forget(campaign: string | undefined): number {
    return [this.#pages, this.#views].reduce((sum, store) => sum + store.deleteAll(isOfCampaign(campaign)), 0);
  }

  #storeOf({ isView }: PageKey): MemoryStore<Held> {
    return isView ? this.#views : this.#pages;
  }
}

/**
 * Prefetches the next page of a walk while the caller handles the current one.
 */
import { LRUCache } from 'lru-cache';
import type { Page } from '../cache/page.ts';
import type { PageSource } from '../cache/page-source.ts';
import type { Identity } from '../http/request-context.ts';
import { upTo } from '../model/lru.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';

interface Parts {
  readonly pages: PageSource;
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
}

/** How long a client that followed a cursor counts as walking. */
const walkerMs = 10 * 60_000;
const maxWalkers = 10_000;

export class ReadAhead {
  readonly #parts: Parts;
  /** Pages to fetch ahead; 0 turns it off. */
  depth: number;
  readonly #walkers = new LRUCache<string, true>({ ...upTo(maxWalkers), ttl: walkerMs });

  constructor(parts: Parts, depth: number) {
    this.#parts = parts;
    this.depth = depth;
  }

  /**
   * Call it with every page answered. A first page triggers a prefetch only if its client followed a cursor recently: most
   * callers read no later page, and its team pays.
   */
  answered(query: PageQuery, page: Page, caller: Identity): void {
    if (this.depth === 0 || (query.kind === 'first' && page.body.cursor === undefined)) return;
    if (query.kind === 'next') this.#walkers.set(caller.client, true);
    else if (!this.#walkers.has(caller.client)) return;

    void this.#fetchAhead(query, page, caller, this.depth);
  }

  async #fetchAhead(query: PageQuery, page: Page, caller: Identity, depth: number): Promise<void> {
    const { pages, isAmple } = this.#parts;
    const { cursor } = page.body;
    if (depth === 0 || cursor === undefined) return;
    const following = pageBehind(query, cursor);
    const next = pages.peek(following) ?? (isAmple() ? await pages.prefetch(following, caller) : undefined);
    if (next) await this.#fetchAhead(following, next, caller, depth - 1);
  }
}

/**
 * A worker's copies of pages. The primary has the pages themselves: it is asked for what there is no copy of, and tells when
 * copies have become worthless.
 */
import { LRUCache } from 'lru-cache';
import { type Page, pageOf } from '../cache/page.ts';
import { type Ask, hitInMemory, type Lookup, type PageSource } from '../cache/page-source.ts';
import type { Clock } from '../clock.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Payer } from '../quota/demand.ts';
import type { Asking } from './channel.ts';

/** A page as the primary has found it. */
export interface Given {
  readonly found: Lookup;
  /** Monotonic time at the primary, of which the page's times are. */
  readonly at: number;
  /** How long it may be answered without asking again, in milliseconds. */
  readonly goodForMs: number;
  /** The campaign id whose news is news of this page, too. */
  readonly heldUnder: string;
}

export interface AskedPage {
  readonly query: PageQuery;
  readonly ask: Omit<Ask, 'signal'>;
}

interface Copy {
  readonly page: Page;
  readonly goodUntil: number;
  readonly heldUnder: string;
  /** How much news had come before it. */
  readonly after: number;
}

/** Objects, map slots and list links around a copy, roughly. */
const entryOverheadBytes = 600;
/** Campaigns of which it is remembered when they moved on. */
const maxMoved = 50_000;

export class Copies implements PageSource {
  readonly #primary: Asking;
  readonly #clock: Clock;
  readonly #copies: LRUCache<string, Copy>;
  /** By campaign, the news of it. Of campaigns that are forgotten, the last news counts. */
  readonly #moved = new LRUCache<string, number>({
    max: maxMoved,
    dispose: (at, _, reason) => {
      if (reason === 'evict') this.#allMoved = Math.max(this.#allMoved, at);
    },
  });
  #allMoved = 0;
  #news = 0;

  constructor(primary: Asking, clock: Clock, maxBytes: number) {
    this.#primary = primary;
    this.#clock = clock;
    this.#copies = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ page }, key) => entryOverheadBytes + key.length + page.body.br.length,
    });
  }

  get bytes(): number {
    return this.#copies.calculatedSize;
  }

  hit(query: PageQuery, maxAgeSeconds = Number.POSITIVE_INFINITY): Lookup | undefined {
    const copy = this.#copies.get(keyOf(query));
    if (!copy || copy.after < Math.max(this.#allMoved, this.#moved.get(copy.heldUnder) ?? 0)) return undefined;
    const now = this.#clock.monotonic();
    if (now >= copy.goodUntil || now - copy.page.fetchedAt > maxAgeSeconds * 1000) return undefined;
    return { page: copy.page, outcome: hitInMemory };
  }

  async get(query: PageQuery, { signal, ...ask }: Ask): Promise<Lookup> {
    const hit = this.hit(query, ask.maxAgeSeconds);
    if (hit) return hit;
    const about: AskedPage = { query, ask };
    return this.#take(query, await this.#primary.ask<Given>('page', about, signal));
  }

  peek(query: PageQuery): Page | undefined {
    return this.#copies.peek(keyOf(query))?.page;
  }

  /** The primary decides whether there is quota for it. */
  async prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined> {
    const about: AskedPage = { query, ask: payer };
    const given = await this.#primary.ask<Given | undefined>('prefetch', about);
    return given && this.#take(query, given).page;
  }

  /** What was copied of a campaign, or of all, is not to be answered without asking. */
  moved(campaign: string | undefined): void {
    this.#news++;
    if (campaign === undefined) this.#allMoved = this.#news;
    else this.#moved.set(campaign, this.#news);
  }

  #take(query: PageQuery, { found, at, goodForMs, heldUnder }: Given): Lookup {
    const now = this.#clock.monotonic();
    const { page } = found;
    const known = this.#copies.peek(keyOf(query))?.page.body;
    // What has arrived lies in the memory of a whole message.
    const body = known?.etag === page.body.etag ? known : { ...page.body, br: Buffer.from(page.body.br) };
    const copy = pageOf(body, laterBy(now - at, page));
    const goodUntil = now + goodForMs;
    if (goodForMs > 0) this.#copies.set(keyOf(query), { page: copy, goodUntil, heldUnder, after: this.#news });
    return { page: copy, outcome: found.outcome };
  }
}

/** Every process has a monotonic clock of its own. */
const laterBy = (ms: number, { fetchedAt, freshUntil, generation, failedAt }: Page) => ({
  fetchedAt: fetchedAt + ms,
  freshUntil: freshUntil + ms,
  generation,
  failedAt: failedAt === undefined ? undefined : failedAt + ms,
});

const keyOf = (query: PageQuery) =>
  [
    ...[query.campaign, query.report, query.createdSince, query.form],
    query.kind === 'first' ? query.limit : `next=${query.cursor}`,
  ].join('|');

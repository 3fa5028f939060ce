/**
 * A worker's copies of pages. On a miss, the worker asks the primary, which owns the page cache, coalesces calls, and invalidates
 * copies.
 */
import { questionKey } from '../cache/keys.ts';
import { LastByCampaign } from '../cache/last-by-campaign.ts';
import { MemoryStore } from '../cache/memory-store.ts';
import { type Page, type PageBody, pageOf } from '../cache/page.ts';
import { type Ask, hitInMemory, type Lookup, type PageSource } from '../cache/page-source.ts';
import type { Clock } from '../clock.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Payer } from '../quota/demand.ts';
import type { Asking } from './channel.ts';
import type { AnsweredPage, AskedPage } from './protocol.ts';

interface Copy {
  readonly page: Page;
  readonly heldUnder: string;
  /** Number of the last invalidation before it. */
  readonly after: number;
}

export class Copies implements PageSource {
  readonly #primary: Asking;
  readonly #clock: Clock;
  readonly #copies: MemoryStore<Copy>;
  /** Numbers of invalidations. */
  readonly #invalidated = new LastByCampaign();
  #lastInvalidation = 0;

  constructor(primary: Asking, clock: Clock, maxBytes: number) {
    this.#primary = primary;
    this.#clock = clock;
    this.#copies = new MemoryStore(clock, maxBytes, ({ page }) => page.body.br.length);
  }

  set maxBytes(maxBytes: number) {
    this.#copies.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#copies.bytes;
  }

  hit(query: PageQuery, maxAgeSeconds?: number): Lookup | undefined {
    const copy = this.#copies.get(questionKey(query));
    if (!copy || copy.after < this.#invalidated.of(copy.heldUnder)) return undefined;
    const { page } = copy;
    const isTooOld = maxAgeSeconds !== undefined && this.#clock.monotonic() - page.fetchedAt > maxAgeSeconds * 1000;
    return isTooOld ? undefined : { page, outcome: hitInMemory };
  }

  async get(query: PageQuery, { signal, ...ask }: Ask): Promise<Lookup> {
    const hit = this.hit(query, ask.maxAgeSeconds);
    if (hit) return hit;
    const about: AskedPage = { query, ask };
    return this.#take(query, await this.#primary.ask('page', about, signal));
  }

  peek(query: PageQuery): Page | undefined {
    return this.#copies.peek(questionKey(query))?.page;
  }

  /** Prefetches through the primary, which checks the quota and reports failures. */
  async prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined> {
    const about: AskedPage = { query, ask: payer };
    const answered = await this.#primary.ask('prefetch', about).catch(() => undefined);
    return answered && this.#take(query, answered).page;
  }

  /** Invalidates copies of a campaign, or all copies. */
  moved(campaign: string | undefined): void {
    this.#invalidated.set(campaign, ++this.#lastInvalidation);
  }

  /** Drops copies of a purged campaign, or all copies. */
  forget(campaign: string | undefined): void {
    this.moved(campaign);
    this.#copies.deleteAll((_, { heldUnder }) => campaign === undefined || heldUnder === campaign);
  }

  #take(query: PageQuery, { lookup, at, goodForMs, heldUnder }: AnsweredPage): Lookup {
    const key = questionKey(query);
    const { page, outcome } = lookup;
    const body = ownBody(page.body, this.#copies.peek(key)?.page.body);
    const copy = pageOf(body, laterBy(this.#clock.monotonic() - at, page));
    // One millisecond less: `get` returns an entry during its last millisecond, when the primary no longer does.
    const forMs = Math.ceil(goodForMs) - 1;
    if (forMs > 0) this.#copies.set(key, { page: copy, heldUnder, after: this.#lastInvalidation }, forMs);
    return { page: copy, outcome };
  }
}

/** Returns the cached body, or a copy of the one received: that is a slice of a message's buffer, which must not be kept. */
function ownBody(arrived: PageBody, held: PageBody | undefined): PageBody {
  return held?.etag === arrived.etag ? held : { ...arrived, br: Buffer.from(arrived.br) };
}

/** Shifts the times of a page from the primary's monotonic clock to this process's. */
const laterBy = (ms: number, { fetchedAt, freshUntil, generation, failedAt }: Page) => ({
  fetchedAt: fetchedAt + ms,
  freshUntil: freshUntil + ms,
  generation,
  failedAt: failedAt === undefined ? undefined : failedAt + ms,
});

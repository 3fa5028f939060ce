/**
 * Makes pages from other cached pages without a call of their own: `created_since` where the upstream does not filter, v2's
 * form, another id of the same campaign, and resources with a recipe.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { since } from '../model/list.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Item } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import { Problem } from '../problems.ts';
import type { Call } from '../quota/single-flight.ts';
import type { Fetched, Miss, Origin } from './fetched.ts';
import { type FreshnessLimits, freshForMs, limitsOf } from './freshness.ts';
import type { PageKeys } from './keys.ts';
import type { LookupAsk } from './lookup-decision.ts';
import { type Page, type PageBody, pageOf, tagOf } from './page.ts';
import { bodyFor, lastModifiedMs, type PageFormat, rowsOf } from './page-format.ts';
import type { Lookup } from './page-source.ts';
import type { Recipe, Recipes, SourcePage, SourcePages } from './recipes.ts';

interface Parts {
  /** Looks up the source, charged to all callers of the view. */
  readonly lookUp: (source: PageQuery, ask: LookupAsk) => Promise<Lookup>;
  readonly goodForMs: (source: PageQuery) => number;
  readonly keys: PageKeys;
  readonly format: PageFormat;
  readonly filtersSince: boolean;
  readonly recipes: Recipes;
  readonly limits: () => FreshnessLimits;
  readonly clock: Clock;
}

/** Rows of parsed sources that are kept, 500 a page: one answer is about many campaigns. */
const maxParsedRows = 20_000;

export class Views {
  readonly #parts: Parts;
  #parsed = parsedRows();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Drops parsed rows, also those that are being parsed: their pages are purged. */
  forget(): void {
    this.#parsed = parsedRows();
  }

  /**
   * Makes the view. It shares its source's age and is revalidated with it.
   *
   * @throws as a lookup of its source
   */
  async make(miss: Miss, old: Page | undefined, call: Call): Promise<Fetched> {
    const { keys, recipes } = this.#parts;
    const recipe = recipes[miss.query.resource];
    if (recipe) return this.#makeBy(recipe, miss, old, call);
    return this.#makeFrom(keys.sourceOf(miss.query) ?? miss.query, miss, old, call);
  }

  async #makeBy(recipe: Recipe, { query, maxAgeSeconds }: Miss, old: Page | undefined, call: Call): Promise<Fetched> {
    const { keys, clock, limits } = this.#parts;
    const { content, from, ...made } = await recipe.make(query, this.sourcePages(query, call, old, maxAgeSeconds));
    const body = await this.#bodyOf(query, content.rows, content.cursor, [old]);
    const pages = from.map(({ page }) => page);
    const soon = clock.monotonic() + limits().minFreshSeconds * 1000;
    const freshUntil = made.freshUntil ?? Math.min(...pages.map((page) => page.freshUntil));
    const times = {
      fetchedAt: Math.min(...pages.map((page) => page.fetchedAt)),
      freshUntil: made.isIncomplete ? Math.min(freshUntil, soon) : freshUntil,
      generation: keys.of(query).generation,
      failedAt: pages.find(({ failedAt }) => failedAt !== undefined)?.failedAt,
    };
    const view = pageOf(body, times);
    const leftMs = view.freshUntil - clock.monotonic();
    return { held: view, origin: originOf(from), forMs: leftMs > 0 ? leftMs : limits().minFreshSeconds * 1000 };
  }

  /**
   * Access to sources while a resource, or an answer, is made.
   *
   * @param old version of it that can be served
   * @param maxAgeSeconds that a caller accepts
   */
  sourcePages(query: PageQuery, call: Call, old?: Page, maxAgeSeconds?: number): SourcePages {
    const get = async (source: PageQuery, maxAge: number | undefined): Promise<SourcePage> => {
      call.signal.throwIfAborted(); // What is cached would be read on after all callers have left.
      const lookup = await this.#lookUp(source, call, false, maxAge);
      return { ...lookup, rows: await this.#rowsOf(source, lookup.page) };
    };
    return {
      get: (source) => get(source, maxAgeSeconds),
      tryGet: async (source) => {
        try {
          // An export reads its own answers anew, no others.
          return await get(source, call.demand.urgency === 'bulk' ? undefined : maxAgeSeconds);
        } catch (error) {
          if (error instanceof Problem && old === undefined && !call.signal.aborted) return undefined;
          throw error;
        }
      },
      freshUntil: ({ page }, dateMs) => {
        const limits = limitsOf(resources[query.resource], this.#parts.limits());
        return page.fetchedAt + freshForMs(dateMs, this.#toWall(page.fetchedAt), limits);
      },
      fetchedAtMs: ({ page }) => Math.floor(this.#toWall(page.fetchedAt) / 1000) * 1000,
    };
  }

  async #rowsOf({ resource }: PageQuery, page: Page): Promise<readonly Item[]> {
    const parsed = this.#parsed;
    const rows = parsed.get(page.body) ?? (await rowsOf(this.#parts.format, resource, page));
    parsed.set(page.body, rows);
    return rows;
  }

  /** Converts monotonic to wall time. */
  #toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return clock.now() - clock.monotonic() + monotonicMs;
  }

  async #makeFrom(source: PageQuery, { query, maxAgeSeconds }: Miss, old: Page | undefined, call: Call) {
    const { format, filtersSince, clock } = this.#parts;
    const lookup = await this.#lookUp(source, call, false, maxAgeSeconds);
    const { page } = lookup;
    const held = await rowsOf(format, query.resource, page);
    const { campaign, since: instant = '' } = query;
    const { askedField } = resources[query.resource];
    const isOther = campaign !== source.campaign && askedField !== undefined;
    const all = isOther ? held.map((row) => ({ ...row, [askedField]: campaign })) : held;
    const isFiltered = !filtersSince && instant !== '';
    const whole = { rows: all, cursor: page.body.cursor };
    const { rows, cursor: following } = isFiltered ? since(resources[query.resource], instant, whole) : whole;
    const isLast = isFiltered && query.form === 'v2' && (await this.#isOver(instant, source, following, call));
    const cursor = isLast ? undefined : following;
    const body = await this.#bodyOf(query, rows, cursor, [old, page]);
    const forMs = this.#parts.goodForMs(source) || page.freshUntil - clock.monotonic();
    return { held: pageOf(body, page), origin: originOf([lookup]), forMs };
  }

  #bodyOf(query: PageQuery, rows: readonly Item[], cursor: string | undefined, held: readonly (Page | undefined)[]) {
    const { format } = this.#parts;
    const { json, next } = format.render(query, { rows, cursor });
    const newestMs = lastModifiedMs(resources[query.resource], rows);
    return bodyFor(format, { json, next, cursor, newestMs }, tagOf(json), held);
  }

  #lookUp(source: PageQuery, { demand, signal }: Call, mayBeStale: boolean, maxAgeSeconds?: number): Promise<Lookup> {
    const { team, client, urgency } = demand;
    const ask = { team, client, urgency, signal, maxAgeSeconds };
    return this.#parts.lookUp(source, { ...ask, mayBeStale, onBehalfOf: demand });
  }

  /**
   * Whether a filtered walk ends at a cursor, since v2 ends without an empty last page. Looks up the page behind the cursor,
   * which the reader would request next; false if that page is unavailable.
   */
  async #isOver(instant: string, source: PageQuery, cursor: string | undefined, call: Call): Promise<boolean> {
    if (cursor === undefined) return false;
    try {
      const { page } = await this.#lookUp(pageBehind(source, cursor), call, true);
      const rows = await rowsOf(this.#parts.format, source.resource, page);
      const left = since(resources[source.resource], instant, { rows, cursor: page.body.cursor });
      return left.rows.length === 0 && left.cursor === undefined;
    } catch (error) {
      if (error instanceof Problem) return false;
      throw error;
    }
  }
}

const parsedRows = () =>
  new LRUCache<PageBody, readonly Item[]>({ maxSize: maxParsedRows, sizeCalculation: (rows) => 1 + rows.length });

/** The costliest way in which one of the sources was found. */
function originOf(sources: readonly Lookup[]): Origin {
  const outcomes = sources.map(({ outcome }) => outcome);
  const called = outcomes.filter((outcome) => outcome.kind === 'forwarded');
  if (called.length > 0) return called.some(({ collapsed }) => !collapsed) ? 'call' : 'other-call';
  return outcomes.some((outcome) => outcome.kind === 'hit' && outcome.shared) ? 'second-level' : 'held';
}

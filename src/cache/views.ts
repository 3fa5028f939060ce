/**
 * Makes pages from other cached pages without a call of their own: `created_since` where the upstream does not filter, v2's
 * form, another id of the same campaign, and resources with a recipe.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { since } from '../model/list.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Item, ResourceName } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import { Problem } from '../problems.ts';
import type { Call } from '../quota/single-flight.ts';
import type { Fetched, Miss, Origin } from './fetched.ts';
import { type FreshnessLimits, freshForMs, limitsOf } from './freshness.ts';
import type { PageKeys } from './keys.ts';
import type { LookupAsk } from './lookup-decision.ts';
import { type Page, type PageBody, pageOf, tagOf } from './page.ts';
import { bodyFor, lastModifiedMs, type PageFormat, rowsOf } from './page-format.ts';
import { hitInMemory, type Lookup, type Outcome } from './page-source.ts';
import type { Made, Recipe, Recipes, SourcePage, SourcePages } from './recipes.ts';

interface Parts {
  /** Looks up the source, charged to all callers of the view. */
  readonly lookUp: (source: PageQuery, ask: LookupAsk) => Promise<Lookup>;
  /** Returns a cached page of any age. */
  readonly peek: (source: PageQuery) => Page | undefined;
  readonly goodForMs: (source: PageQuery) => number;
  readonly keys: PageKeys;
  readonly format: PageFormat;
  readonly filtersSince: boolean;
  readonly recipes: Recipes;
  readonly limits: FreshnessLimits;
  readonly clock: Clock;
}

/** Parsed sources of recipes that are kept: one call answers for many campaigns. */
const maxParsed = 8;

export class Views {
  readonly #parts: Parts;
  readonly #parsed = new LRUCache<PageBody, readonly Item[]>({ max: maxParsed });

  constructor(parts: Parts) {
    this.#parts = parts;
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
    const made = await recipe.make(query, this.#sourcePages(query, call, maxAgeSeconds));
    const { page, outcome } = made.of;
    const body = await this.#bodyOf(query, made.content.rows, made.content.cursor, [old]);
    const freshUntil = this.#freshUntil(query, made);
    const { generation } = keys.of(query);
    const view = pageOf(body, { fetchedAt: page.fetchedAt, freshUntil, generation, failedAt: page.failedAt });
    const pauseMs = limits.minFreshSeconds * 1000;
    const leftMs = freshUntil - clock.monotonic();
    return { held: view, origin: originOf(outcome), forMs: leftMs > 0 ? leftMs : pauseMs };
  }

  #freshUntil({ resource }: PageQuery, made: Made): number {
    const { page } = made.of;
    return 'dateMs' in made ? page.fetchedAt + this.#freshForMs(resource, page, made.dateMs) : page.freshUntil;
  }

  #freshForMs(resource: ResourceName, { fetchedAt }: Page, dateMs: number | undefined): number {
    return freshForMs(dateMs, this.#toWall(fetchedAt), limitsOf(resources[resource], this.#parts.limits));
  }

  #sourcePages({ resource }: PageQuery, call: Call, wanted: number | undefined): SourcePages {
    const { clock, limits } = this.#parts;
    const maxAgeMs = Math.max(wanted ?? Number.POSITIVE_INFINITY, limits.minFreshSeconds) * 1000;
    return {
      get: async (query) => this.#sourceOf(query, await this.#lookUp(query, call, false, wanted)),
      held: (query) => this.held(query),
      isFresh: ({ page }, dateMs) =>
        clock.monotonic() - page.fetchedAt < Math.min(this.#freshForMs(resource, page, dateMs), maxAgeMs),
      fetchedAtMs: ({ page }) => Math.floor(this.#toWall(page.fetchedAt) / 1000) * 1000,
    };
  }

  /** Returns a cached answer of any age, without a call. */
  async held(query: PageQuery): Promise<SourcePage | undefined> {
    const page = this.#parts.peek(query);
    return page && this.#sourceOf(query, { page, outcome: hitInMemory });
  }

  async #sourceOf(query: PageQuery, lookup: Lookup): Promise<SourcePage> {
    return { ...lookup, rows: await this.#rowsOf(query, lookup.page) };
  }

  async #rowsOf({ resource }: PageQuery, page: Page): Promise<readonly Item[]> {
    const rows = this.#parsed.get(page.body) ?? (await rowsOf(this.#parts.format, resource, page));
    this.#parsed.set(page.body, rows);
    return rows;
  }

  /** Converts monotonic to wall time. */
  #toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return clock.now() - clock.monotonic() + monotonicMs;
  }

  async #makeFrom(source: PageQuery, { query, maxAgeSeconds }: Miss, old: Page | undefined, call: Call) {
    const { format, filtersSince, clock } = this.#parts;
    const { page, outcome } = await this.#lookUp(source, call, false, maxAgeSeconds);

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
    return { held: pageOf(body, page), origin: originOf(outcome), forMs };
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

function originOf(source: Outcome): Origin {
  if (source.kind === 'hit') return source.shared ? 'second-level' : 'held';
  return source.collapsed ? 'other-call' : 'call';
}

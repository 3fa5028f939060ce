/**
 * The cache: one answer to every question, as fresh as it has to be, with as few calls as it takes.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { MeansAnotherId, noOtherIds, type OtherIds } from '../model/campaign-ids.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import { newest, type ReportName, type ReportPage, type Row, since } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { Problem, remembered } from '../problems.ts';
import type { Demand, Payer, Urgency } from '../quota/demand.ts';
import { Waiters } from '../quota/waiters.ts';
import { inSpan } from '../tracing.ts';
import { identityOf } from './compression.ts';
import { type FreshnessLimits, freshForMs } from './freshness.ts';
import { Walks } from './generations.ts';
import { lookAgain } from './look-again.ts';
import { makeBody, type Page, pageOf, tagOf } from './page.ts';
import type { Rebuilt } from './record.ts';
import { type RefusalCode, refusalCodeOf, type Seen, type SharedPages, type Turn } from './shared-pages.ts';
import type { UnknownIds } from './unknown-ids.ts';

export interface PagesOptions extends FreshnessLimits {
  /** Bytes of all that is held: contents, the keys, and what it takes to keep them. */
  readonly maxBytes: number;
  /**
   * Bytes among them for views. They cost no call, so without a bound of their own a caller who asks from one instant after
   * the other could push everybody's pages out.
   */
  readonly maxViewBytes: number;
  /** How long past its freshness a page may be served, when the upstream has no better one. */
  readonly staleIfErrorSeconds: number;
  /** How long it is remembered that a question cannot be answered. */
  readonly notFoundSeconds: number;
}

interface Parts {
  readonly fetchPage: (query: PageQuery, demand: Demand, signal: AbortSignal) => Promise<ReportPage>;
  readonly render: (query: PageQuery, page: ReportPage) => { readonly json: string; readonly next: string | undefined };
  /** The rows out of what was rendered. */
  readonly readRows: (report: ReportName, json: string) => readonly Row[];
  /** Whether the upstream understands `created_since`. */
  readonly filtersSince: boolean;
  /** The ids by which one campaign can be asked for; without them it has one. */
  readonly ids?: OtherIds;
  readonly clock: Clock;
  /** Monotonic time of the last outage: failures that are remembered from before it count no more. */
  readonly outageAt?: () => number;
  /** What is known of the walks; where pages are shared, they know of it too. */
  readonly walks?: Walks;
  /** The pages of all instances; undefined where this is the only one. */
  readonly shared?: SharedPages | undefined;
  /** Bounds what clients may ask that does not exist. */
  readonly unknownIds?: UnknownIds;
  /** Called when a campaign is forgotten, or all are (undefined). */
  readonly onForgotten?: (campaign: string | undefined) => void;
  /** Makes what is answered; simulations, which answer nobody, bring their own. */
  readonly encode?: typeof makeBody;
}

/** A question on somebody's account. */
export interface Ask extends Payer {
  /**
   * How much it matters when; `interactive` where somebody waits. With `bulk` a walk costs no more calls than it has to:
   * its head is as fresh as any, and pages behind it, which an unchanged head has confirmed, are taken however old.
   */
  readonly urgency?: Urgency;
  /** Ends this caller's wait, and nobody else's. */
  readonly signal?: AbortSignal;
  /** The caller wants nothing older; granted at most once in `minFreshSeconds` a key. */
  readonly maxAgeSeconds?: number | undefined;
}

/** A page and the cache's part in it, in the terms of RFC 9211. */
export interface Found {
  readonly page: Page;
  /** Why the upstream was asked for this answer; undefined on a hit. */
  readonly forward: 'uri-miss' | 'stale' | 'request' | undefined;
  /** The call was somebody else's, for the same page. */
  readonly collapsed: boolean;
  /** It was not in memory, but among the pages of all instances. */
  readonly shared: boolean;
  readonly stored: boolean;
}

/** What the upstream said no to, remembered so that it is not asked again at once. */
interface RememberedRefusal {
  readonly kind: 'refusal';
  readonly code: RefusalCode;
  /** Monotonic time, in milliseconds. */
  readonly at: number;
  /** The same: when callers are told to ask again. */
  readonly until: number;
  /** For how long Constant Contact asks to wait, where that is known. */
  readonly waitSeconds?: number | undefined;
}

type Held = Page | RememberedRefusal;

interface Fetch {
  readonly query: PageQuery;
  readonly walk: string;
  readonly generation: number;
  readonly demand: Demand;
  readonly signal: AbortSignal;
  readonly maxAgeSeconds: number | undefined;
  readonly mayBeStale: boolean;
  /** For a view: the page that it is made of. */
  source?: Found;
}

/** Of a page that another instance fetched. */
interface Origin {
  /** Whether we waited for its call; otherwise the page was there. */
  readonly waited: boolean;
}

/** Where a page is held. */
interface Place {
  readonly cache: LRUCache<string, Held, Fetch>;
  readonly key: string;
  readonly walk: string;
  readonly generation: number;
  /** What was known of the ids of campaigns. */
  readonly idsVersion: number;
}

/** Where pages come from. */
export type PageSource = Pick<Pages, 'hit' | 'get' | 'peek' | 'prefetch'>;

/** The campaign of a walk, by the id under which its rows are held. */
export const campaignOf = (walk: string) => walk.split('|', 1)[0] ?? '';

/** Objects, map slots and list links around an entry, roughly. */
const entryOverheadBytes = 600;
/** A page that was fetched later than another one was so by more than the wall clock is off by, which counts whole milliseconds. */
const laterMs = 5;
export const maxWalks = 50_000;

export class Pages {
  readonly #parts: Parts;
  readonly #options: PagesOptions;
  readonly #ids: OtherIds;
  readonly #walks: Walks;
  /** Pages that other instances have fetched. */
  readonly #origins = new WeakMap<Page, Origin>();
  /** Of questions that are asked again and again as the same object. */
  readonly #places = new WeakMap<PageQuery, Place>();
  readonly #waiters = new Waiters();
  readonly #pages: LRUCache<string, Held, Fetch>;
  readonly #views: LRUCache<string, Held, Fetch>;

  constructor(parts: Parts, options: PagesOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#ids = parts.ids ?? noOtherIds;
    this.#walks = parts.walks ?? new Walks(maxWalks, parts.clock);
    parts.shared?.onPurge((campaign) => void this.#forgetAllOf(campaign));
    this.#pages = this.#newCache(options.maxBytes - options.maxViewBytes);
    this.#views = this.#newCache(options.maxViewBytes);
  }

  #newCache(maxBytes: number): LRUCache<string, Held, Fetch> {
    const { clock } = this.#parts;
    return new LRUCache<string, Held, Fetch>({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: (held, key) =>
        entryOverheadBytes + key.length * 2 + (held.kind === 'page' ? held.body.br.length : 0),
      // The cache's ttl says when to ask again; how fresh a page is stands on the page.
      ttl: 1,
      ttlResolution: 0,
      perf: { now: () => clock.monotonic() },
      noDeleteOnStaleGet: true,
      // A fetch that has begun is paid for: it is kept, whatever happens to its place in the cache meanwhile.
      ignoreFetchAbort: true,
      fetchMethod: (key, held, { options, context }) => this.#fetch(key, held, options, context),
    });
  }

  get bytes(): number {
    return this.#pages.calculatedSize + this.#views.calculatedSize;
  }

  get count(): number {
    return this.#pages.size + this.#views.size;
  }

  /**
   * The page, if it can be answered without waiting for anything.
   *
   * @throws Problem with a remembered refusal
   */
  hit(query: PageQuery, maxAgeSeconds?: number): Found | undefined {
    const place = this.#place(query);
    if (this.#parts.shared?.isDoubtful(place.walk)) return undefined;
    return this.#held(place, maxAgeSeconds);
  }

  #held({ cache, key, generation }: Place, maxAgeSeconds: number | undefined): Found | undefined {
    const held = cache.get(key);
    if (held === undefined) return undefined;
    if (held.kind === 'refusal') {
      if (this.#mayHavePassed(held)) return undefined;
      throw this.#problemOf(held);
    }
    if (this.#wantsRefresh(held, generation, maxAgeSeconds)) return undefined;
    return { page: held, forward: undefined, collapsed: false, shared: false, stored: false };
  }

  /**
   * The page, from the upstream if need be. A stale page is answered at once while one refresh runs behind it.
   *
   * @throws Problem when there is no page to answer with, or the signal's reason
   */
  get(query: PageQuery, ask: Ask): Promise<Found> {
    const attributes = { 'sendgate.campaign': query.campaign, 'sendgate.team': ask.team };
    return inSpan('page lookup', attributes, async (span) => {
      const { client, signal } = ask;
      const look = () => lookAgain(() => this.#get(query, ask, true), signal);
      const { unknownIds } = this.#parts;
      const isWatched = unknownIds && client !== undefined && !this.peek(query);
      const found = await (isWatched ? unknownIds.watch(client, query.campaign, signal, look) : look());
      span.setAttributes({ 'sendgate.forward': found.forward ?? 'none', 'sendgate.collapsed': found.collapsed });
      return found;
    });
  }

  /** @param alongWith another demand, with which this one becomes more urgent */
  async #get(query: PageQuery, ask: Ask, mayBeStale: boolean, alongWith?: Demand): Promise<Found> {
    const { team, client, urgency = 'interactive', signal, maxAgeSeconds } = ask;
    const { shared } = this.#parts;
    const asked = this.#place(query);
    if (shared?.isDoubtful(asked.walk) && asked.cache.peek(asked.key, { allowStale: true }))
      await shared.confirm(asked.walk);
    const place = this.#place(query);
    const { cache, key, walk, generation } = place;
    const isBulk = urgency === 'bulk';
    const held = cache.peek(key, { allowStale: true });
    // A walk goes by cursors that no caller has made up, and waits longer and longer between its tries.
    const isWalking = isBulk && query.kind === 'next';
    const isPast = held?.kind === 'refusal' && (this.#mayHavePassed(held) || (isWalking && isFailure(held.code)));
    const hit = isPast ? undefined : this.#held(place, maxAgeSeconds);
    if (hit) return hit;

    if (isBulk && query.kind === 'next' && held?.kind === 'page' && !this.#wantsRefresh(held, generation)) {
      return { page: held, forward: undefined, collapsed: false, shared: false, stored: false };
    }
    const forceRefresh = isPast || (held?.kind === 'page' && this.#wantsRefresh(held, generation, maxAgeSeconds));
    const allowStale = mayBeStale && !isBulk && held?.kind === 'page' && !forceRefresh;
    const payer = { team, client };
    const wait = this.#waiters.join(key, payer, allowStale ? 'refresh' : urgency, allowStale ? undefined : signal);
    alongWith?.onJoin((another, itsUrgency) => wait.demand.join(another, itsUrgency));
    const status: LRUCache.Status<string, Held, Fetch> = {};
    const { demand, signal: given } = wait;
    const isWalkBegun = isBulk && query.kind === 'first';
    const context: Fetch = {
      ...{ query, walk, generation, demand, signal: given, maxAgeSeconds },
      mayBeStale: mayBeStale && !isWalkBegun,
    };
    const fetching = cache.fetch(key, { allowStale, forceRefresh, status, context });
    const found = await wait.until(fetching);
    if (found === undefined) throw new Problem('internal-error');
    if (found.kind === 'refusal') throw isWalking ? walkProblem(found) : this.#problemOf(found);

    const { source } = context;
    const origin = status.returnedStale ? undefined : this.#origins.get(found);
    const isShared = origin?.waited === false || source?.shared === true;
    const isNews = !isShared && !status.returnedStale && found.failedAt === undefined && found !== held;
    const fetched = isNews && (!source || source.forward !== undefined);
    // What another instance has left to go stale is answered at once, and asked for behind it.
    if (origin && !source && !isBulk && this.#parts.clock.monotonic() >= found.freshUntil)
      void this.prefetch(query, payer);
    const wasWanted = forceRefresh && held?.kind === 'page' && !this.#isGone(held);
    const forward = status.fetch === 'miss' || held?.kind !== 'page' ? 'uri-miss' : wasWanted ? 'request' : 'stale';
    return {
      page: found,
      forward: fetched ? forward : undefined,
      collapsed: fetched && (status.fetch === 'inflight' || origin?.waited === true || source?.collapsed === true),
      shared: isShared,
      stored: fetched && cache.peek(key) === found,
    };
  }

  /** The page that is held, however old. */
  peek(query: PageQuery): Page | undefined {
    const { cache, key } = this.#place(query);
    const held = cache.peek(key, { allowStale: true });
    return held?.kind === 'page' ? held : undefined;
  }

  /** The id under which the rows of a campaign are held. Whatever invalidates it invalidates all pages made of them. */
  heldUnder({ campaign }: PageQuery): string {
    return this.#ids.activityOf(campaign);
  }

  /** How long the page that is held may be answered without asking again, in milliseconds. */
  goodForMs(query: PageQuery): number {
    const { cache, key } = this.#place(query);
    return Math.max(0, cache.getRemainingTTL(key));
  }

  /** Fetches a page ahead of demand. Resolves with undefined on failure, which the upstream has reported. */
  prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined> {
    return this.get(query, { ...payer, urgency: 'refresh' }).then(
      ({ page }) => page,
      () => undefined,
    );
  }

  /**
   * Forgets what is held of a campaign, or all of it, here and wherever pages are shared. Resolves with the pages that were
   * held here, and with whether it is forgotten everywhere.
   */
  async purge(campaign?: string): Promise<{ readonly pages: number; readonly everywhere: boolean }> {
    const ids = this.#allOf(campaign);
    const pages = this.#forgetAllOf(campaign);
    const done = await Promise.all(ids.map((id) => this.#parts.shared?.purge(id) ?? true));
    return { pages, everywhere: done.every(Boolean) };
  }

  /** All ids of a campaign; undefined is all campaigns. */
  #allOf(campaign: string | undefined): readonly (string | undefined)[] {
    return campaign === undefined ? [undefined] : this.#ids.allOf(campaign);
  }

  #forgetAllOf(campaign: string | undefined): number {
    return this.#allOf(campaign).reduce((pages, id) => pages + this.#forget(id), 0);
  }

  #forget(campaign: string | undefined): number {
    const isOf = (key: string) => campaign === undefined || key.startsWith(`${campaign}|`);
    this.#parts.unknownIds?.forget(campaign);
    this.#ids.forget(campaign);
    const keys = [this.#pages, this.#views].flatMap((cache) => {
      const own = [...cache.keys()].filter(isOf);
      for (const key of own) cache.delete(key);
      return own;
    });
    this.#parts.onForgotten?.(campaign);
    return keys.length;
  }

  /** Where a question's page is held: two spellings of one question are one key. */
  #place(query: PageQuery): Place {
    let place = this.#places.get(query);
    const idsVersion = this.#ids.version;
    const walk = place?.idsVersion === idsVersion ? place.walk : this.#walkOf(query);
    const { generation } = this.#walks.of(walk);
    if (place?.generation !== generation || place.idsVersion !== idsVersion) {
      const cache = this.#sourceOf(query) ? this.#views : this.#pages;
      place = { cache, key: this.#keyOf(query, walk, generation), walk, generation, idsVersion };
      this.#places.set(query, place);
    }
    return place;
  }

  #walkOf({ report, campaign, createdSince = '' }: PageQuery): string {
    const activity = this.#ids.activityOf(campaign);
    return [activity, report, ...(this.#parts.filtersSince ? [createdSince] : [])].join('|');
  }

  /** Joined, a key is held in one piece: a template would hold all of its parts. */
  #keyOf(query: PageQuery, walk: string, generation: number): string {
    const { campaign, createdSince = '', form } = query;
    const askedAs = this.#ids.activityOf(campaign) === campaign ? '' : ` ${campaign}`;
    const view = `${form ?? ''}${this.#parts.filtersSince ? '' : createdSince}${askedAs}`;
    if (query.kind === 'first') return [walk, view, query.limit].join('|');
    return [walk, view, generation, query.cursor].join('|');
  }

  /** The question whose page is the source of this one's, where the upstream cannot be asked for it as it is. */
  #sourceOf(query: PageQuery): PageQuery | undefined {
    const { filtersSince } = this.#parts;
    const campaign = this.#ids.activityOf(query.campaign);
    const isItself = query.form === undefined && (filtersSince || query.createdSince === undefined);
    if (isItself && campaign === query.campaign) return undefined;
    return { ...query, campaign, form: undefined, createdSince: filtersSince ? query.createdSince : undefined };
  }

  /** Whether a page is not good enough: past all use, of an older generation, or too old for this caller. */
  #wantsRefresh(page: Page, generation: number, maxAgeSeconds = Number.POSITIVE_INFINITY): boolean {
    const now = this.#parts.clock.monotonic();
    const triedAt = page.failedAt ?? page.fetchedAt;
    if (this.#isGone(page) || (page.generation !== generation && page.failedAt === undefined)) return true;
    return now - page.fetchedAt > maxAgeSeconds * 1000 && now - triedAt >= this.#options.minFreshSeconds * 1000;
  }

  #problemOf({ code, until }: RememberedRefusal): Problem {
    return remembered(code, until - this.#parts.clock.monotonic());
  }

  /** Whether a failure that is remembered may have been everybody's. */
  #mayHavePassed({ code, at }: RememberedRefusal): boolean {
    return isFailure(code) && at <= (this.#parts.outageAt?.() ?? Number.NEGATIVE_INFINITY);
  }

  #isGone(page: Page): boolean {
    return this.#parts.clock.monotonic() >= page.freshUntil + this.#options.staleIfErrorSeconds * 1000;
  }

  async #fetch(key: string, held: Held | undefined, options: { ttl?: number }, fetch: Fetch): Promise<Held> {
    const { clock, fetchPage } = this.#parts;
    let old = held?.kind === 'page' ? held : undefined;
    let turn: Turn | undefined;
    try {
      const source = this.#sourceOf(fetch.query);
      if (source) return await this.#toView(source, old, options, fetch);

      const seen = await this.#look(old, held?.kind === 'refusal' ? held.at : old?.fetchedAt, fetch);
      if (seen && seen.kind !== 'turn') return this.#fromOthers(seen, key, options, fetch);
      turn = seen?.turn;
      old ??= seen?.fallback;
      const asked = { ...fetch, generation: this.#walks.of(fetch.walk).generation };
      const page = await this.#toPage(await fetchPage(fetch.query, fetch.demand, fetch.signal), old, asked, turn);
      options.ttl = Math.ceil(page.freshUntil - page.fetchedAt);
      this.#holdToo(key, page, options, fetch);
      return page;
    } catch (error) {
      if (!(error instanceof Problem)) {
        if (error instanceof MeansAnotherId) turn?.released();
        else turn?.failed(undefined);
        throw error;
      }
      const code = refusalCodeOf(error);
      // What fails is no reason to give up a page that is held; that there is nothing any more is one.
      if (code !== undefined && !(error.isLasting && old && !this.#isGone(old))) {
        options.ttl = this.#options.notFoundSeconds * 1000;
        turn?.refused(code, options.ttl);
        const { retryAfterSeconds: waitSeconds } = error;
        const at = clock.monotonic();
        return { kind: 'refusal', code, at, until: at + Math.max(options.ttl, (waitSeconds ?? 0) * 1000), waitSeconds };
      }
      turn?.failed(error);
      if (!old || this.#isGone(old)) throw error;
      if (error.reason === 'share') {
        // Only those who asked may not: the next one may be of another team.
        options.ttl = 1;
        return old;
      }
      // The page is good enough to go on with, and the upstream is left alone for a while: for less, if it was not asked.
      const wasAsked = error.code !== 'upstream-busy' || error.reason === 'throttled' || error.isLasting;
      const seconds = wasAsked ? this.#options.minFreshSeconds : (error.retryAfterSeconds ?? 1);
      options.ttl = Math.min(seconds, this.#options.minFreshSeconds) * 1000;
      return pageOf(old.body, { ...old, failedAt: clock.monotonic() });
    } finally {
      this.#waiters.done(key);
    }
  }

  /**
   * What all instances have of a page, as fresh as it has to be, and later than what is held; undefined where this is the only
   * one.
   */
  #look(old: Page | undefined, heldSince: number | undefined, fetch: Fetch): Promise<Seen> | undefined {
    const { query, walk, maxAgeSeconds, demand, signal } = fetch;
    const mayBeStale = fetch.mayBeStale && maxAgeSeconds === undefined && old === undefined;
    const now = this.#parts.clock.monotonic();
    const seconds = Math.max(maxAgeSeconds ?? Number.POSITIVE_INFINITY, this.#options.minFreshSeconds);
    return this.#parts.shared?.look(
      {
        walk,
        limit: query.kind === 'first' ? query.limit : undefined,
        cursor: query.kind === 'next' ? query.cursor : undefined,
      },
      {
        notBefore: Math.max(now - seconds * 1000, (heldSince ?? Number.NEGATIVE_INFINITY) + laterMs),
        mayBeStale,
        known: old?.body,
        rebuild: (json, cursor) => this.#contentOf(query, { rows: this.#parts.readRows(query.report, json), cursor }),
      },
      demand,
      signal,
    );
  }

  #fromOthers(seen: Exclude<Seen, { kind: 'turn' }>, key: string, options: { ttl?: number }, fetch: Fetch): Held {
    const now = this.#parts.clock.monotonic();
    options.ttl = Math.max(1, Math.ceil((seen.kind === 'page' ? seen.page.freshUntil : seen.until) - now));
    if (seen.kind === 'refusal') return { ...seen, at: now };
    // A page with a date on it has rows.
    if (seen.page.body.lastModified !== undefined) this.#ids.addActivity(fetch.query.campaign);
    this.#origins.set(seen.page, { waited: seen.waited });
    this.#holdToo(key, seen.page, options, fetch);
    return seen.page;
  }

  /** A generation that was learned on the way has moved the page to another key, too. */
  #holdToo(key: string, page: Page, { ttl = 1 }: { ttl?: number }, { query, walk }: Fetch): void {
    const present = this.#place(query);
    if (present.walk !== walk) return; // What its id means has become known meanwhile: it is a view of another page.
    if (present.key !== key && page.generation === present.generation) present.cache.set(present.key, page, { ttl });
  }

  /**
   * Makes a page out of another one: from an instant on where the upstream knows none, in another form, or by another id. It is
   * as old as its source, and refreshed with it.
   */
  async #toView(source: PageQuery, old: Page | undefined, options: { ttl?: number }, fetch: Fetch): Promise<Page> {
    const { render, filtersSince, encode = makeBody } = this.#parts;
    const { query, demand, signal, maxAgeSeconds } = fetch;
    const ask = { team: demand.team, client: demand.client, urgency: demand.urgency, signal, maxAgeSeconds };
    fetch.source = await this.#get(source, ask, false, demand);

    const { page } = fetch.source;
    const held = await this.#rowsOf(query.report, page);
    const { campaign, createdSince = '' } = query;
    const all = campaign === source.campaign ? held : held.map((row) => ({ ...row, campaign_id: campaign }));
    const isFiltered = !filtersSince && createdSince !== '';
    const whole = { rows: all, cursor: page.body.cursor };
    const report = reports[query.report];
    const { rows, cursor: following } = isFiltered ? since(report, createdSince, whole) : whole;
    const isLast = isFiltered && query.form === 'v2' && (await this.#isOver(createdSince, source, following, fetch));
    const cursor = isLast ? undefined : following;
    const { json, next } = render(query, { rows, cursor });
    const etag = tagOf(json);
    const same = [old?.body, page.body].find((body) => body?.etag === etag);
    const remainingMs = this.goodForMs(source);
    options.ttl = Math.max(1, remainingMs || page.freshUntil - this.#parts.clock.monotonic());
    return pageOf(same ?? (await encode({ json, next, cursor, newestMs: newest(report, rows) }, etag)), page);
  }

  /**
   * Whether a walk from an instant on is over at a cursor, where v2 ends it without an empty last page. Looks at the page behind
   * the cursor, which the reader would ask for next; false when that page cannot be had.
   */
  async #isOver(createdSince: string, source: PageQuery, cursor: string | undefined, fetch: Fetch): Promise<boolean> {
    if (cursor === undefined) return false;
    const { demand, signal } = fetch;
    const ask = { team: demand.team, client: demand.client, urgency: demand.urgency, signal };
    try {
      const { page } = await this.#get(pageBehind(source, cursor), ask, true, demand);
      const { report } = source;
      const whole = { rows: await this.#rowsOf(report, page), cursor: page.body.cursor };
      const left = since(reports[report], createdSince, whole);
      return left.rows.length === 0 && left.cursor === undefined;
    } catch (error) {
      if (error instanceof Problem) return false;
      throw error;
    }
  }

  async #rowsOf(report: ReportName, { body }: Page): Promise<readonly Row[]> {
    return this.#parts.readRows(report, (await identityOf(body)).toString());
  }

  /** A page as it is rendered, and what is known of it by its rows. */
  #contentOf(query: PageQuery, page: ReportPage): Rebuilt {
    const { json, next } = this.#parts.render(query, page);
    const [first] = page.rows;
    const report = reports[query.report];
    return {
      ...{ json, next, cursor: page.cursor, newestMs: newest(report, page.rows) },
      first: first === undefined ? '' : report.identity(first),
    };
  }

  async #toPage(arrived: ReportPage, old: Page | undefined, fetch: Fetch, turn: Turn | undefined): Promise<Page> {
    const { query, walk, generation } = fetch;
    const { clock, encode = makeBody } = this.#parts;
    const fetchedAt = clock.monotonic();
    const content = this.#contentOf(query, arrived);
    const etag = tagOf(content.json);
    const about = {
      limit: query.kind === 'first' ? query.limit : undefined,
      etag,
      first: content.first,
      askedIn: generation,
      previousEtag: old?.body.etag,
    };
    const unshared = {
      // An unchanged page keeps its body.
      body: old?.body.etag === etag ? old.body : await encode(content, etag),
      fetchedAt,
      freshUntil: fetchedAt + freshForMs(content.newestMs, clock.now(), this.#options),
    };
    const shared = await turn?.stored(unshared, about);
    const times = { ...unshared, failedAt: undefined };
    return pageOf(unshared.body, { ...times, generation: shared ?? this.#walks.arrived(walk, about) });
  }
}

const isFailure = (code: RefusalCode) => code !== 'campaign-not-found' && code !== 'invalid-cursor';

/** For a walk, which retries whatever is remembered: it waits no longer than Constant Contact asks. */
const walkProblem = ({ code, waitSeconds }: RememberedRefusal) => new Problem(code, { retryAfterSeconds: waitSeconds });

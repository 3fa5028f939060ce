/**
 * The page cache: the policy that combines keys, memory store, fetcher, refusals and views.
 */
import type { Clock } from '../clock.ts';
import { noOtherIds, type OtherIds } from '../model/campaign-ids.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import { type ParsedPage, reportOf } from '../model/resource.ts';
import type { Demand, Payer } from '../quota/demand.ts';
import { type Call, SingleFlight } from '../quota/single-flight.ts';
import { inSpan } from '../tracing.ts';
import type { Fetched, Held, Miss } from './fetched.ts';
import { type AgeLimits, type FreshnessLimits, mustRevalidate } from './freshness.ts';
import { Generations, maxWalks } from './generations.ts';
import { HeldPages, type HeldPagesOptions } from './held-pages.ts';
import { campaignOf, isOfCampaign, type PageKey, PageKeys } from './keys.ts';
import { LastByCampaign } from './last-by-campaign.ts';
import { decide, isWalking, type LookupAsk, type LookupDecision, wantedOf } from './lookup-decision.ts';
import type { Page } from './page.ts';
import { PageFetcher } from './page-fetcher.ts';
import type { PageFormat } from './page-format.ts';
import {
  type Ask,
  type ForwardReason,
  hitInMemory,
  hitInShared,
  type Lookup,
  type Outcome,
  type PageSource,
} from './page-source.ts';
import { type DateOf, type Recipes, sourcesOf } from './recipes.ts';
import { problemForWalk, Refusals } from './refusals.ts';
import { retryLookup } from './retry-lookup.ts';
import { noSecondLevel, type SecondLevel } from './second-level.ts';
import type { UnknownIds } from './unknown-ids.ts';
import { Views } from './views.ts';

export interface PageCacheOptions extends FreshnessLimits, AgeLimits, HeldPagesOptions {
  /** How long a refusal is remembered. */
  readonly notFoundSeconds: number;
}

interface Parts extends PageFormat {
  readonly fetchPage: (query: PageQuery, demand: Demand, signal: AbortSignal) => Promise<ParsedPage>;
  /** Whether the upstream supports `created_since`. */
  readonly filtersSince: boolean;
  /** Maps the several ids of a campaign. Default: one id each. */
  readonly ids?: OtherIds;
  readonly clock: Clock;
  /** Monotonic time of the last outage; failures remembered from before it are ignored. */
  readonly outageAt?: () => number;
  /** Shared with the second level, if there is one. */
  readonly generations?: Generations;
  readonly secondLevel?: SecondLevel | undefined;
  /** Limits lookups of unknown campaign ids per client. */
  readonly unknownIds?: UnknownIds;
  /** How resources are made that the upstream does not serve directly. Default: none. */
  readonly recipes?: Recipes;
  /** Default: an answer without a date is as fresh as its rule says at least. */
  readonly dateOf?: DateOf;
  /** Called when a campaign is purged, or all are (undefined). */
  readonly onForgotten?: (campaign: string | undefined) => void;
}

/** A fetched page or refusal, and whether it was stored. */
type Arrived = Fetched & { readonly isStored: boolean };

export class PageCache implements PageSource {
  #options: PageCacheOptions;
  readonly #clock: Clock;
  readonly #ids: OtherIds;
  readonly #unknownIds: UnknownIds | undefined;
  readonly #onForgotten: (campaign: string | undefined) => void;
  readonly #secondLevel: SecondLevel;
  readonly #keys: PageKeys;
  readonly #refusals: Refusals;
  readonly #held: HeldPages;
  /** Monotonic times of purges. */
  readonly #purgedAt = new LastByCampaign();
  readonly #flights = new SingleFlight<Arrived>();
  readonly #views: Views;
  readonly #fetcher: PageFetcher;

  constructor(parts: Parts, options: PageCacheOptions) {
    const { clock, ids = noOtherIds, secondLevel = noSecondLevel, filtersSince, fetchPage, recipes = {} } = parts;
    const generations = parts.generations ?? new Generations(maxWalks, clock);
    this.#options = options;
    this.#clock = clock;
    this.#ids = ids;
    this.#unknownIds = parts.unknownIds;
    this.#onForgotten = parts.onForgotten ?? (() => {});
    this.#secondLevel = secondLevel;
    this.#keys = new PageKeys(ids, generations, filtersSince, sourcesOf(recipes));
    this.#refusals = new Refusals(clock, options.notFoundSeconds, parts.outageAt);
    this.#held = new HeldPages(clock, options);
    this.#views = new Views({
      lookUp: (source, ask) => this.#lookUp(source, ask),
      goodForMs: (source) => this.goodForMs(source),
      ...{ keys: this.#keys, format: parts, filtersSince, recipes, clock, limits: () => this.#options },
    });
    this.#fetcher = new PageFetcher(
      {
        ...{
          fetchPage,
          format: parts,
          ids,
          generations,
          secondLevel,
          refusals: this.#refusals,
          views: this.#views,
          clock,
        },
        purgedAt: (walk) => this.#purgedAt.of(campaignOf(walk)),
        dateOf: async (query, rows, call) => parts.dateOf?.(query, rows, this.#views.sourcePages(query, call)),
      },
      () => this.#options,
    );
    secondLevel.onPurge((campaign) => void this.#forgetAllOf(campaign));
  }

  /** Changes the bounds and limits. Pages stay cached for as long as they were when they arrived. */
  reconfigure(options: PageCacheOptions): void {
    this.#options = options;
    this.#held.resize(options);
    this.#refusals.notFoundSeconds = options.notFoundSeconds;
    if (this.#unknownIds) this.#unknownIds.notFoundSeconds = options.notFoundSeconds;
  }

  get bytes(): number {
    return this.#held.bytes;
  }

  get count(): number {
    return this.#held.count;
  }

  hit(query: PageQuery, maxAgeSeconds?: number): Lookup | undefined {
    const key = this.#keys.of(query);
    if (this.#secondLevel.isDoubtful(key.walk)) return undefined;
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    if (held.kind === 'refusal') {
      if (this.#refusals.mayHavePassed(held)) return undefined;
      throw this.#refusals.problemOf(held);
    }
    const now = this.#clock.monotonic();
    if (mustRevalidate(held, key.generation, maxAgeSeconds, now, this.#options)) return undefined;
    return { page: held, outcome: hitInMemory };
  }

  get(query: PageQuery, ask: Ask): Promise<Lookup> {
    const attributes = {
      'sendgate.report': reportOf(query.resource),
      ...(query.campaign !== noCampaign && { 'sendgate.campaign': query.campaign }),
      'sendgate.team': ask.team,
    };
    return inSpan('page lookup', attributes, async (span) => {
      const { client, signal } = ask;
      const lookUp = () => retryLookup(() => this.#lookUp(query, ask), signal);
      const isWatched = client !== undefined && query.campaign !== noCampaign && !this.peek(query);
      const lookup = await (isWatched && this.#unknownIds
        ? this.#unknownIds.watch(client, query.campaign, signal, lookUp)
        : lookUp());
      const { outcome } = lookup;
      span.setAttributes(
        outcome.kind === 'hit'
          ? { 'sendgate.forward': 'none', 'sendgate.collapsed': false }
          : { 'sendgate.forward': outcome.why, 'sendgate.collapsed': outcome.collapsed },
      );
      return lookup;
    });
  }

  peek(query: PageQuery): Page | undefined {
    const key = this.#keys.of(query);
    const held = this.#held.peek(key);
    return held?.kind === 'page' ? held : undefined;
  }

  prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined> {
    return this.get(query, { ...payer, urgency: 'refresh' }).then(
      ({ page }) => page,
      () => undefined, // The upstream has already emitted the failure.
    );
  }

  /** How long the cached page may be served without a refresh, in milliseconds. */
  goodForMs(query: PageQuery): number {
    const key = this.#keys.of(query);
    return this.#held.remainingMs(key);
  }

  /** Returns the id that a campaign's rows are cached under. Invalidating it invalidates all pages made from them. */
  heldUnder({ campaign }: PageQuery): string {
    return this.#ids.activityOf(campaign);
  }

  /**
   * Purges a campaign, or all of them, here and wherever pages are shared. Resolves with the number of pages removed here,
   * and whether the purge succeeded everywhere.
   */
  async purge(campaign?: string): Promise<{ readonly pages: number; readonly everywhere: boolean }> {
    const ids = this.#allOf(campaign);
    const pages = this.#forgetAllOf(campaign);
    const done = await Promise.all(ids.map((id) => this.#secondLevel.purge(id)));
    return { pages, everywhere: done.every(Boolean) };
  }

  async #lookUp(query: PageQuery, ask: LookupAsk): Promise<Lookup> {
    const key = await this.#confirmedKey(query);
    const held = this.#held.peek(key);
    const decision = this.#decide(query, key, held, ask);
    if (decision.kind === 'hit') return { page: decision.page, outcome: hitInMemory };
    if (decision.kind === 'refused') throw this.#refusals.problemOf(decision.refusal);

    const { stale, why } = decision;
    const flight = this.#fetch({ query, key, held, ...wantedOf(query, ask) }, ask, stale !== undefined);
    ask.onBehalfOf?.onJoin((payer, urgency) => flight.demand.join(payer, urgency));
    if (stale) return { page: stale, outcome: hitInMemory };

    const arrived = await flight.result();
    if (arrived.origin === undefined) {
      throw isWalking(query, ask) ? problemForWalk(arrived.held) : this.#refusals.problemOf(arrived.held);
    }
    this.#refreshBehind(query, key, ask, arrived);
    return { page: arrived.held, outcome: outcomeOf(arrived, why, flight.isJoined) };
  }

  /** Returns the key after confirming the walk's generation, if that is in doubt. */
  async #confirmedKey(query: PageQuery): Promise<PageKey> {
    const key = this.#keys.of(query);
    if (!this.#secondLevel.isDoubtful(key.walk) || !this.#held.peek(key)) return key;
    await this.#secondLevel.confirm(key.walk);
    return this.#keys.of(query);
  }

  #decide(query: PageQuery, key: PageKey, held: Held | undefined, ask: LookupAsk): LookupDecision {
    const isInTime = this.#held.get(key) !== undefined;
    const [nowMs, limits, refusals] = [this.#clock.monotonic(), this.#options, this.#refusals];
    return decide(query, ask, { held, isInTime, generation: key.generation, nowMs, limits, refusals });
  }

  /** Coalesces all misses of a page into one fetch. */
  #fetch(miss: Miss, { team, client, urgency = 'interactive', signal }: Ask, isBehind: boolean) {
    const asker = isBehind ? { team, client, urgency: 'refresh' as const } : { team, client, urgency, signal };
    return this.#flights.join(miss.key.text, asker, async (call) => {
      try {
        return this.#hold(miss, call, await this.#fetcher.fetch(miss, call));
      } catch (error) {
        if (!call.isForgotten) this.#held.delete(miss.key);
        throw error;
      }
    });
  }

  /** Stores a fetch's result: the call is paid for, even if all waiting callers have left. */
  #hold({ query, key }: Miss, call: Call, fetched: Fetched): Arrived {
    const { held, origin, forMs } = fetched;
    if (call.isForgotten) return { ...fetched, isStored: false };
    const isStored = this.#held.set(key, held, forMs);
    const present = this.#keys.of(query);
    // The fetch may have learned a new generation, or the meaning of the id: either changes the key.
    const hasMoved = !key.isView && present.text !== key.text && present.walk === key.walk;
    if (hasMoved && origin !== undefined && origin !== 'held' && held.generation === present.generation) {
      this.#held.set(present, held, forMs);
    }
    return { ...fetched, isStored };
  }

  /** Refreshes a stale page that came from another instance, after it is served. */
  #refreshBehind(query: PageQuery, key: PageKey, { team, client, urgency }: Ask, { held, origin }: Fetched): void {
    const isFromOthers = origin === 'second-level' || origin === 'other-call';
    if (key.isView || !isFromOthers || urgency === 'bulk') return;
    if (this.#clock.monotonic() >= held.freshUntil) void this.prefetch(query, { team, client });
  }

  /**
   * Returns all ids of a campaign, and that of the directory, from which its summary may have been made; undefined stands for
   * everything.
   */
  #allOf(campaign: string | undefined): readonly (string | undefined)[] {
    return campaign === undefined ? [undefined] : [...this.#ids.allOf(campaign), noCampaign];
  }

  #forgetAllOf(campaign: string | undefined): number {
    return this.#allOf(campaign).reduce((pages, id) => pages + this.#forget(id), 0);
  }

  /** Removes cached pages and detaches calls in flight. */
  #forget(campaign: string | undefined): number {
    this.#unknownIds?.forget(campaign);
    this.#ids.forget(campaign);
    this.#flights.forget(isOfCampaign(campaign));
    this.#purgedAt.set(campaign, this.#clock.monotonic());
    const pages = this.#held.forget(campaign);
    this.#views.forget();
    this.#onForgotten(campaign);
    return pages;
  }
}

function outcomeOf({ origin, isStored }: Arrived, why: ForwardReason, isJoined: boolean): Outcome {
  if (origin === 'held') return hitInMemory;
  if (origin === 'second-level') return hitInShared;
  return { kind: 'forwarded', why, collapsed: isJoined || origin === 'other-call', stored: isStored };
}

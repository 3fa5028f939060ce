/**
 * The cache: one answer to every question, as fresh as it has to be, with as few calls as it takes.
 *
 * This is the policy. What is held, under which keys, how it is fetched and what is remembered stand in files of their own.
 */
import type { Clock } from '../clock.ts';
import { noOtherIds, type OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { SendsPage } from '../model/sends.ts';
import type { Demand, Payer } from '../quota/demand.ts';
import { inSpan } from '../tracing.ts';
import type { Fetched, Held, Miss } from './fetched.ts';
import { type AgeLimits, type FreshnessLimits, isGone, mustRevalidate } from './freshness.ts';
import { Generations, maxWalks } from './generations.ts';
import { isOfCampaign, type PageKey, PageKeys } from './keys.ts';
import { MemoryStore } from './memory-store.ts';
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
import { isFailure, problemForWalk, type Refusal, Refusals } from './refusals.ts';
import { retryLookup } from './retry-lookup.ts';
import { noSecondLevel, type SecondLevel } from './second-level.ts';
import { type Call, SingleFlight } from './single-flight.ts';
import type { UnknownIds } from './unknown-ids.ts';
import { Views } from './views.ts';

export interface PageCacheOptions extends FreshnessLimits, AgeLimits {
  /** Bytes of all that is held: contents, the keys, and what it takes to keep them. */
  readonly maxBytes: number;
  /**
   * Bytes among them for views. They cost no call, so without a bound of their own a caller who asks from one instant after
   * the other could push everybody's pages out.
   */
  readonly maxViewBytes: number;
  /** How long it is remembered that a question cannot be answered. */
  readonly notFoundSeconds: number;
}

interface Parts extends PageFormat {
  readonly fetchPage: (query: PageQuery, demand: Demand, signal: AbortSignal) => Promise<SendsPage>;
  /** Whether the upstream understands `created_since`. */
  readonly filtersSince: boolean;
  /** The ids by which one campaign can be asked for; without them it has one. */
  readonly ids?: OtherIds;
  readonly clock: Clock;
  /** Monotonic time of the last outage: failures that are remembered from before it count no more. */
  readonly outageAt?: () => number;
  /** The second level has the same, where there is one. */
  readonly generations?: Generations;
  readonly secondLevel?: SecondLevel | undefined;
  /** Bounds what clients may ask that does not exist. */
  readonly unknownIds?: UnknownIds;
  /** Called when a campaign is forgotten, or all are (undefined). */
  readonly onForgotten?: (campaign: string | undefined) => void;
}

/** How a page is looked up for a view of it. */
interface ViewAsk {
  /** The page may be stale; true where nothing is said. */
  readonly mayBeStale?: boolean;
  /** All who want the view want its source, too. */
  readonly onBehalfOf?: Demand;
}

/** What to do about a question. */
type Decision =
  | { readonly kind: 'hit'; readonly page: Page }
  /** `stale` is answered at once, and fetched behind it; without it the caller waits. */
  | { readonly kind: 'miss'; readonly why: ForwardReason; readonly stale: Page | undefined };

type Arrived = Fetched & { readonly isStored: boolean };

export class PageCache implements PageSource {
  readonly #options: PageCacheOptions;
  readonly #clock: Clock;
  readonly #ids: OtherIds;
  readonly #unknownIds: UnknownIds | undefined;
  readonly #onForgotten: (campaign: string | undefined) => void;
  readonly #secondLevel: SecondLevel;
  readonly #keys: PageKeys;
  readonly #refusals: Refusals;
  readonly #pages: MemoryStore<Held>;
  readonly #views: MemoryStore<Held>;
  readonly #flights = new SingleFlight<Arrived>();
  readonly #fetcher: PageFetcher;

  constructor(parts: Parts, options: PageCacheOptions) {
    const { clock, ids = noOtherIds, secondLevel = noSecondLevel, filtersSince, fetchPage } = parts;
    const generations = parts.generations ?? new Generations(maxWalks, clock);
    this.#options = options;
    this.#clock = clock;
    this.#ids = ids;
    this.#unknownIds = parts.unknownIds;
    this.#onForgotten = parts.onForgotten ?? (() => {});
    this.#secondLevel = secondLevel;
    this.#keys = new PageKeys(ids, generations, filtersSince);
    this.#refusals = new Refusals(clock, options.notFoundSeconds, parts.outageAt);
    const bytesOf = (held: Held) => (held.kind === 'page' ? held.body.br.length : 0);
    this.#pages = new MemoryStore(clock, options.maxBytes - options.maxViewBytes, bytesOf);
    this.#views = new MemoryStore(clock, options.maxViewBytes, bytesOf);
    const views = new Views({
      lookUp: (source, ask) => this.#lookUp(source, ask),
      goodForMs: (source) => this.goodForMs(source),
      ...{ keys: this.#keys, format: parts, filtersSince, clock },
    });
    this.#fetcher = new PageFetcher(
      { fetchPage, format: parts, ids, generations, secondLevel, refusals: this.#refusals, views, clock },
      options,
    );
    secondLevel.onPurge((campaign) => void this.#forgetAllOf(campaign));
  }

  get bytes(): number {
    return this.#pages.bytes + this.#views.bytes;
  }

  get count(): number {
    return this.#pages.count + this.#views.count;
  }

  hit(query: PageQuery, maxAgeSeconds?: number): Lookup | undefined {
    const key = this.#keys.of(query);
    if (this.#secondLevel.isDoubtful(key.walk)) return undefined;
    const held = this.#storeOf(key).get(key.text);
    if (held === undefined) return undefined;
    if (held.kind === 'refusal') {
      if (this.#refusals.mayHavePassed(held)) return undefined;
      throw this.#refusals.problemOf(held);
    }
    if (this.#mustRevalidate(held, key, maxAgeSeconds)) return undefined;
    return { page: held, outcome: hitInMemory };
  }

  get(query: PageQuery, ask: Ask): Promise<Lookup> {
    const attributes = { 'sendgate.campaign': query.campaign, 'sendgate.team': ask.team };
    return inSpan('page lookup', attributes, async (span) => {
      const { client, signal } = ask;
      const lookUp = () => retryLookup(() => this.#lookUp(query, ask), signal);
      const isWatched = this.#unknownIds && client !== undefined && !this.peek(query);
      const lookup = await (isWatched ? this.#unknownIds.watch(client, query.campaign, signal, lookUp) : lookUp());
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
    const held = this.#storeOf(key).peek(key.text);
    return held?.kind === 'page' ? held : undefined;
  }

  prefetch(query: PageQuery, payer: Payer): Promise<Page | undefined> {
    return this.get(query, { ...payer, urgency: 'refresh' }).then(
      ({ page }) => page,
      () => undefined, // The upstream has reported it.
    );
  }

  /** How long the page that is held may be answered without asking again, in milliseconds. */
  goodForMs(query: PageQuery): number {
    const key = this.#keys.of(query);
    return this.#storeOf(key).remainingMs(key.text);
  }

  /** The id under which the rows of a campaign are held. Whatever invalidates it invalidates all pages made of them. */
  heldUnder({ campaign }: PageQuery): string {
    return this.#ids.activityOf(campaign);
  }

  /**
   * Forgets what is held of a campaign, or all of it, here and wherever pages are shared. Resolves with the pages that were
   * held here, and with whether it is forgotten everywhere.
   */
  async purge(campaign?: string): Promise<{ readonly pages: number; readonly everywhere: boolean }> {
    const ids = this.#allOf(campaign);
    const pages = this.#forgetAllOf(campaign);
    const done = await Promise.all(ids.map((id) => this.#secondLevel.purge(id)));
    return { pages, everywhere: done.every(Boolean) };
  }

  async #lookUp(query: PageQuery, ask: Ask & ViewAsk): Promise<Lookup> {
    const key = await this.#confirmedKey(query);
    const held = this.#storeOf(key).peek(key.text);
    const decision = this.#decide(query, key, held, ask);
    if (decision.kind === 'hit') return { page: decision.page, outcome: hitInMemory };

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

  /** The key, in the present generation of its walk. */
  async #confirmedKey(query: PageQuery): Promise<PageKey> {
    const key = this.#keys.of(query);
    if (!this.#secondLevel.isDoubtful(key.walk) || !this.#storeOf(key).peek(key.text)) return key;
    await this.#secondLevel.confirm(key.walk);
    return this.#keys.of(query);
  }

  /** @throws Problem with a remembered refusal */
  #decide(query: PageQuery, key: PageKey, held: Held | undefined, ask: Ask & ViewAsk): Decision {
    if (held?.kind !== 'page') {
      if (held && !this.#isPast(held, key, isWalking(query, ask))) throw this.#refusals.problemOf(held);
      return { kind: 'miss', why: 'uri-miss', stale: undefined };
    }
    const { maxAgeSeconds, mayBeStale = true } = ask;
    const isInTime = this.#storeOf(key).get(key.text) !== undefined;
    const isRefused = this.#mustRevalidate(held, key, maxAgeSeconds);
    if (isInTime && !isRefused) return { kind: 'hit', page: held };
    // Later pages, which an unchanged first page has confirmed, are taken however old.
    if (isWalking(query, ask) && !this.#mustRevalidate(held, key)) return { kind: 'hit', page: held };
    const why = isRefused && !isGone(held, this.#clock.monotonic(), this.#options) ? 'request' : 'stale';
    const canBeStale = mayBeStale && ask.urgency !== 'bulk' && !isRefused;
    return { kind: 'miss', why, stale: canBeStale ? held : undefined };
  }

  /** Whether a refusal is not to be answered. A walk, which waits longer and longer between its tries, retries every failure. */
  #isPast(refusal: Refusal, key: PageKey, isWalking: boolean): boolean {
    const isInTime = this.#storeOf(key).get(key.text) !== undefined;
    return !isInTime || this.#refusals.mayHavePassed(refusal) || (isWalking && isFailure(refusal.code));
  }

  #mustRevalidate(page: Page, { generation }: PageKey, maxAgeSeconds?: number): boolean {
    return mustRevalidate(page, generation, maxAgeSeconds, this.#clock.monotonic(), this.#options);
  }

  /** Fetches a page, once for all who miss it. */
  #fetch(miss: Miss, { team, client, urgency = 'interactive', signal }: Ask, isBehind: boolean) {
    const asker = isBehind ? { team, client, urgency: 'refresh' as const } : { team, client, urgency, signal };
    return this.#flights.join(miss.key.text, asker, async (call) => {
      try {
        return this.#hold(miss, call, await this.#fetcher.fetch(miss, call));
      } catch (error) {
        if (!call.isForgotten) this.#storeOf(miss.key).delete(miss.key.text);
        throw error;
      }
    });
  }

  /** Holds what a fetch came to: a call that has been made is paid for, also when all who waited for it have left. */
  #hold({ query, key }: Miss, call: Call, fetched: Fetched): Arrived {
    const { held, origin, forMs } = fetched;
    const store = this.#storeOf(key);
    if (call.isForgotten) return { ...fetched, isStored: false };
    store.set(key.text, held, forMs);
    const present = this.#keys.of(query);
    // A generation that was learned on the way has moved the page to another key; what its id means may have become known, too.
    const hasMoved = !key.isView && present.text !== key.text && present.walk === key.walk;
    if (hasMoved && origin !== undefined && origin !== 'held' && held.generation === present.generation) {
      this.#storeOf(present).set(present.text, held, forMs);
    }
    return { ...fetched, isStored: store.peek(key.text) === held };
  }

  /** What another instance has let go stale is answered at once, and revalidated behind. */
  #refreshBehind(query: PageQuery, key: PageKey, { team, client, urgency }: Ask, { held, origin }: Fetched): void {
    const isFromOthers = origin === 'second-level' || origin === 'other-call';
    if (key.isView || !isFromOthers || urgency === 'bulk') return;
    if (this.#clock.monotonic() >= held.freshUntil) void this.prefetch(query, { team, client });
  }

  #storeOf({ isView }: PageKey): MemoryStore<Held> {
    return isView ? this.#views : this.#pages;
  }

  /** All ids of a campaign; undefined is all campaigns. */
  #allOf(campaign: string | undefined): readonly (string | undefined)[] {
    return campaign === undefined ? [undefined] : this.#ids.allOf(campaign);
  }

  #forgetAllOf(campaign: string | undefined): number {
    return this.#allOf(campaign).reduce((pages, id) => pages + this.#forget(id), 0);
  }

  /** Forgets what is held, and what is on its way. */
  #forget(campaign: string | undefined): number {
    const isOne = isOfCampaign(campaign);
    this.#unknownIds?.forget(campaign);
    this.#ids.forget(campaign);
    this.#flights.forget(isOne);
    const pages = this.#pages.deleteAll(isOne) + this.#views.deleteAll(isOne);
    this.#onForgotten(campaign);
    return pages;
  }
}

/** A walk goes by cursors that no caller has made up. */
const isWalking = ({ kind }: PageQuery, { urgency }: Ask) => urgency === 'bulk' && kind === 'next';

/** A walk begins with a first page that is fresh. */
function wantedOf({ kind }: PageQuery, { urgency, maxAgeSeconds, mayBeStale = true }: Ask & ViewAsk) {
  return { maxAgeSeconds, mayBeStale: mayBeStale && !(urgency === 'bulk' && kind === 'first') };
}

function outcomeOf({ origin, isStored }: Arrived, why: ForwardReason, isJoined: boolean): Outcome {
  if (origin === 'held') return hitInMemory;
  if (origin === 'second-level') return hitInShared;
  return { kind: 'forwarded', why, collapsed: isJoined || origin === 'other-call', stored: isStored };
}

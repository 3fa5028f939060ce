/**
 * Fetches a page on a miss: from the second level, then from the upstream. On failure, serves the cached page or remembers
 * the refusal.
 */
import type { Clock } from '../clock.ts';
import { MeansAnotherId, type OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import { type Item, newest, type ParsedPage } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import type { Call } from '../quota/single-flight.ts';
import type { Fetched, Miss } from './fetched.ts';
import { type AgeLimits, type FreshnessLimits, freshForMs, isGone, limitsOf } from './freshness.ts';
import type { Generations } from './generations.ts';
import { forcedBy } from './lookup-decision.ts';
import { type Page, pageOf, tagOf } from './page.ts';
import { bodyFor, contentOf, type PageFormat } from './page-format.ts';
import { pageOfWalk } from './page-of-walk.ts';
import { pauseMs, type Refusals } from './refusals.ts';
import { type Lease, noLease, type SecondLevel, type SecondLevelReply } from './second-level.ts';
import type { Views } from './views.ts';

interface Parts {
  readonly fetchPage: (query: PageQuery, demand: Demand, signal: AbortSignal) => Promise<ParsedPage>;
  readonly format: PageFormat;
  readonly ids: OtherIds;
  readonly generations: Generations;
  readonly secondLevel: SecondLevel;
  readonly refusals: Refusals;
  readonly views: Views;
  /** The date that an answer's freshness depends on, if its rows have none. */
  readonly dateOf: (query: PageQuery, rows: readonly Item[], call: Call) => Promise<number | undefined>;
  /** Monotonic time of the last purge of a walk's campaign. Pages from before it, which others can put back, are none. */
  readonly purgedAt: (walk: string) => number;
  readonly clock: Clock;
}

/** Margin by which a page must be newer: wall clocks count whole milliseconds. */
const laterMs = 5;

export class PageFetcher {
  readonly #parts: Parts;
  readonly #limits: () => AgeLimits & FreshnessLimits;

  constructor(parts: Parts, limits: () => AgeLimits & FreshnessLimits) {
    this.#parts = parts;
    this.#limits = limits;
  }

  /** @throws Problem if there is neither a page nor a refusal to remember, or MeansAnotherId */
  async fetch(miss: Miss, call: Call): Promise<Fetched> {
    let old = miss.held?.kind === 'page' ? miss.held : undefined;
    let lease = noLease;
    try {
      if (miss.key.isView) return await this.#parts.views.make(miss, old, call);
      const reply = await this.#look(miss, old, call);
      if (reply.kind !== 'lease') return this.#fromSecondLevel(reply, miss);
      lease = reply.lease;
      old ??= this.#unlessPurged(reply.fallback, miss);
      return await this.#call(miss, old, lease, call);
    } catch (error) {
      return this.#failed(error, old, lease);
    }
  }

  /** Looks the page up in the second level: fresh enough, and newer than the cached one. */
  #look({ query, key, held, ...wanted }: Miss, old: Page | undefined, call: Call): Promise<SecondLevelReply> {
    const { secondLevel, format, purgedAt, clock } = this.#parts;
    const { maxAgeSeconds = Number.POSITIVE_INFINITY } = wanted;
    const seconds = Math.max(maxAgeSeconds, forcedBy(call.demand, this.#limits()).minFreshSeconds);
    const heldSince = held?.kind === 'refusal' ? held.at : (held?.fetchedAt ?? Number.NEGATIVE_INFINITY);
    return secondLevel.look(
      pageOfWalk(key.walk, query),
      {
        notBefore: Math.max(clock.monotonic() - seconds * 1000, heldSince + laterMs, purgedAt(key.walk)),
        mayBeStale: wanted.mayBeStale && wanted.maxAgeSeconds === undefined && old === undefined,
        known: old?.body,
        rebuild: (json, cursor) => contentOf(format, query, { rows: format.readRows(query.resource, json), cursor }),
      },
      call.demand,
      call.signal,
    );
  }

  #unlessPurged(page: Page | undefined, { key }: Miss): Page | undefined {
    return page && page.fetchedAt >= this.#parts.purgedAt(key.walk) ? page : undefined;
  }

  #fromSecondLevel(reply: Exclude<SecondLevelReply, { kind: 'lease' }>, { query }: Miss): Fetched {
    const { clock, ids } = this.#parts;
    const now = clock.monotonic();
    if (reply.kind === 'refusal') return { held: { ...reply, at: now }, forMs: reply.until - now };
    const { page, waited } = reply;
    // Only rows have dates, so this id is an activity's.
    if (page.body.lastModified !== undefined) ids.addActivity(query.campaign);
    return { held: page, origin: waited ? 'other-call' : 'second-level', forMs: page.freshUntil - now };
  }

  async #call({ query, key }: Miss, old: Page | undefined, lease: Lease, call: Call): Promise<Fetched> {
    const { fetchPage, format, generations, clock } = this.#parts;
    const askedIn = generations.of(key.walk).generation;
    const rows = await fetchPage(query, call.demand, call.signal);
    const fetchedAt = clock.monotonic();
    const resource = resources[query.resource];
    const dateMs = newest(resource, rows.rows) ?? (await this.#parts.dateOf(query, rows.rows, call));
    const freshMs = freshForMs(dateMs, clock.now(), limitsOf(resource, this.#limits()));
    const content = contentOf(format, query, rows);
    const etag = tagOf(content.json);
    const arrived = {
      of: pageOfWalk(key.walk, query),
      etag,
      firstRow: content.first,
      askedIn,
      previousEtag: old?.body.etag,
    };
    const unshared = {
      body: await bodyFor(format, content, etag, [old]),
      fetchedAt,
      freshUntil: fetchedAt + freshMs,
    };
    const shared = await lease.stored(unshared, arrived);
    const generation = shared ?? generations.arrived(arrived);
    const page = pageOf(unshared.body, { ...unshared, failedAt: undefined, generation });
    return { held: page, origin: 'call', forMs: page.freshUntil - page.fetchedAt };
  }

  /** Handles a failed fetch. A cached page within `staleIfErrorSeconds` beats an error. */
  #failed(error: unknown, old: Page | undefined, lease: Lease): Fetched {
    if (!(error instanceof Problem)) {
      if (error instanceof MeansAnotherId) lease.released();
      else lease.failed(undefined);
      throw error;
    }
    const now = this.#parts.clock.monotonic();
    const fallback = old && !isGone(old, now, this.#limits()) ? old : undefined;
    const { refusals } = this.#parts;
    const refusal = refusals.of(error);
    // A failure keeps the cached page; "not found" replaces it.
    if (refusal && !(error.isLasting && fallback)) {
      lease.refused(refusal.code, refusals.forMs);
      return { held: refusal, forMs: refusals.forMs };
    }
    lease.failed(error);
    if (!fallback) throw error;
    // Only this team's share is spent. The next caller may belong to another team, so retry at once.
    if (error.reason === 'share') return { held: fallback, origin: 'held', forMs: 1 };
    const failed = pageOf(fallback.body, { ...fallback, failedAt: now });
    return { held: failed, origin: 'held', forMs: pauseMs(error, this.#limits().minFreshSeconds) };
  }
}

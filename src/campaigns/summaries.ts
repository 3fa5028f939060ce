/**
 * Caches campaigns' summaries, built from the parts of the page cache.
 */
import { summaryKey } from '../cache/keys.ts';
import { MemoryStore } from '../cache/memory-store.ts';
import { pauseMs, type Refusal, Refusals } from '../cache/refusals.ts';
import { retryLookup } from '../cache/retry-lookup.ts';
import type { UnknownIds } from '../cache/unknown-ids.ts';
import type { Clock } from '../clock.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import { Problem } from '../problems.ts';
import type { Demand, Payer } from '../quota/demand.ts';
import { type Call, SingleFlight } from '../quota/single-flight.ts';

interface Parts {
  readonly fetchSummary: (campaign: string, demand: Demand, signal: AbortSignal) => Promise<CampaignSummary>;
  /** Limits requests for campaigns that do not exist. */
  readonly unknownIds: UnknownIds;
  /** Resolves the several ids of one campaign. */
  readonly ids: OtherIds;
  readonly clock: Clock;
  /** Monotonic time of the last outage, which invalidates refusals remembered before it. */
  readonly outageAt: () => number;
}

export interface SummaryOptions {
  readonly minFreshSeconds: number;
  readonly staleIfErrorSeconds: number;
  readonly notFoundSeconds: number;
}

/** Source of summaries. */
export type SummarySource = Pick<Summaries, 'get'>;

/** Room for about ten thousand. */
const maxBytes = 8 * 2 ** 20;
const bytesOfOne = 100;

interface HeldSummary {
  readonly kind: 'summary';
  readonly summary: CampaignSummary;
  /** Monotonic, in milliseconds. */
  readonly fetchedAt: number;
}

type Held = HeldSummary | Refusal;

/** Coalesces calls, and makes at most one per campaign in `minFreshSeconds`. Serves a stale summary when the upstream fails. */
export class Summaries {
  readonly #parts: Parts;
  readonly #options: SummaryOptions;
  readonly #refusals: Refusals;
  readonly #held: MemoryStore<Held>;
  readonly #flights = new SingleFlight<Held>();

  constructor(parts: Parts, options: SummaryOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#refusals = new Refusals(parts.clock, options.notFoundSeconds, parts.outageAt);
    this.#held = new MemoryStore(parts.clock, maxBytes, () => bytesOfOne);
  }

  /**
   * Returns the summary of a campaign, cached once for all its ids.
   *
   * @throws Problem, or the signal's reason
   */
  get(campaign: string, { team, client }: Payer, signal: AbortSignal): Promise<CampaignSummary> {
    const { unknownIds, ids } = this.#parts;
    const lookUp = () => retryLookup(() => this.#lookUp(ids.activityOf(campaign), { team, client }, signal), signal);
    return client === undefined ? lookUp() : unknownIds.watch(client, campaign, signal, lookUp);
  }

  /** Drops the summary of one campaign, or all of them. */
  forget(campaign?: string): void {
    const isOne = (key: string) => campaign === undefined || key === summaryKey(campaign);
    this.#flights.forget(isOne);
    this.#held.deleteAll(isOne);
  }

  async #lookUp(campaign: string, payer: Payer, signal: AbortSignal): Promise<CampaignSummary> {
    const key = summaryKey(campaign);
    const held = this.#held.get(key);
    if (held?.kind === 'summary') return held.summary;
    if (held && !this.#refusals.mayHavePassed(held)) throw this.#refusals.problemOf(held);

    const asker = { ...payer, urgency: 'interactive' as const, signal };
    const arrived = await this.#flights.join(key, asker, (call) => this.#fetch(campaign, key, call)).result();
    if (arrived.kind === 'refusal') throw this.#refusals.problemOf(arrived);
    return arrived.summary;
  }

  async #fetch(campaign: string, key: string, call: Call): Promise<Held> {
    const { clock, fetchSummary } = this.#parts;
    const hold = (held: Held, forMs: number) => {
      if (!call.isForgotten) this.#held.set(key, held, forMs);
      return held;
    };
    const { minFreshSeconds } = this.#options;
    try {
      const summary = await fetchSummary(campaign, call.demand, call.signal);
      return hold({ kind: 'summary', summary, fetchedAt: clock.monotonic() }, minFreshSeconds * 1000);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const old = this.#fallback(key);
      const refusal = this.#refusals.of(error);
      if (refusal && !(error.isLasting && old)) return hold(refusal, this.#refusals.forMs);
      if (!old) throw error;
      // A team that has spent its share must not delay another team's call.
      return error.reason === 'share' ? old : hold(old, pauseMs(error, minFreshSeconds));
    }
  }

  /** Returns the cached summary if it is within `staleIfErrorSeconds`. */
  #fallback(key: string): HeldSummary | undefined {
    const held = this.#held.peek(key);
    const isUsable =
      held?.kind === 'summary' &&
      this.#parts.clock.monotonic() < held.fetchedAt + this.#options.staleIfErrorSeconds * 1000;
    return isUsable ? held : undefined;
  }
}

/**
 * Looks up what a campaign's id means in v3, where a campaign has several ids. The result never changes, so each id is looked
 * up once.
 */
import type { Clock } from '../clock.ts';
import { noOtherIds, type OtherIds } from '../model/campaign-ids.ts';
import { Problem, remembered } from '../problems.ts';
import { type Call, SingleFlight } from '../quota/single-flight.ts';
import type { Ask, Asking } from './call-loop.ts';
import { DigitsLookup } from './digits-lookup.ts';
import type { KnownIds } from './known-ids.ts';
import { activitiesOf } from './v3-ids.ts';

/** What a report returned for a UUID that may be a campaign's. */
export type FoundUnder = 'nothing' | 'an empty report';

export interface IdLookup {
  readonly known: OtherIds;
  /**
   * Returns the activity id that a caller's id means, if known or found by v2's digits. An unknown UUID counts as an
   * activity's.
   *
   * @throws Problem `campaign-not-found`, or any upstream code, including remembered ones
   */
  resolve(id: string, asking: Asking): Promise<string>;
  /**
   * Looks a UUID up as a campaign's, unless its meaning is known. Concurrent callers share one lookup; `resolve` then returns
   * the result.
   *
   * @throws Problem with any upstream code; not if there is no such campaign
   */
  tryAsCampaign(id: string, under: FoundUnder, asking: Asking): Promise<void>;
}

/** For v2: a campaign has one id. */
export const oneIdEach: IdLookup = {
  known: noOtherIds,
  resolve: async (id) => id,
  tryAsCampaign: async () => {},
};

/** How long a UUID with an empty report that is not a campaign's is remembered. */
const emptyRememberedSeconds = 86_400;

interface Parts {
  readonly known: KnownIds;
  readonly clock: Clock;
  /** How long an unknown id is remembered. */
  readonly notFoundSeconds: () => number;
  /** Monotonic time of the last outage; lookups that failed before it are retried. */
  readonly outageAt: () => number;
}

/** For v3: resolves digits and UUIDs to activities. */
export class V3IdLookup implements IdLookup {
  readonly known: KnownIds;
  readonly #parts: Parts;
  readonly #digits: DigitsLookup;
  /** Lookups of UUIDs. */
  readonly #flights = new SingleFlight<void>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.known = parts.known;
    this.#digits = new DigitsLookup(parts);
  }

  async resolve(id: string, asking: Asking): Promise<string> {
    const { known } = this;
    if (!known.hasActivity(id) && !this.#without(id)) {
      if (!isUuid(id)) await this.#digits.lookUp(id, asking);
      else if (known.isCampaign(id)) await this.tryAsCampaign(id, 'nothing', asking);
    }
    const without = this.#without(id);
    if (without?.kind === 'failed')
      throw remembered(without.problem.code, known.rememberedMs(id), without.problem.reason);
    if (without?.kind === 'no-activity') throw new Problem('campaign-not-found', { reason: 'no-activity' });
    const activityId = known.activityOf(id);
    if (!isUuid(activityId)) throw new Problem('campaign-not-found', { reason: 'xref' });
    return activityId;
  }

  async tryAsCampaign(id: string, under: FoundUnder, { ask, demand, signal }: Asking): Promise<void> {
    if (this.known.hasActivity(id) || this.#without(id)) return;
    const { team, client, urgency } = demand;
    const flight = this.#flights.join(id, { team, client, urgency, signal }, (call) =>
      this.#lookUp(id, under, ask, call),
    );
    demand.onJoin((payer, urgency) => flight.demand.join(payer, urgency));
    await flight.result();
  }

  /** Returns why an id is known to have no activity. */
  #without(id: string) {
    const without = this.known.without(id);
    const hasPassed = without?.kind === 'failed' && without.at <= this.#parts.outageAt();
    return hasPassed ? undefined : without;
  }

  async #lookUp(id: string, under: FoundUnder, ask: Ask, { demand, signal }: Call): Promise<void> {
    const { known } = this;
    try {
      const { all, primary } = await ask(() => activitiesOf(id), demand, signal);
      for (const one of all) known.addActivity(one);
      if (primary !== undefined) known.learn([[id, primary]]);
      if (!known.hasActivity(id)) known.remember(id, 'no-activity', this.#parts.notFoundSeconds());
    } catch (error) {
      this.#failed(id, under, error);
    }
  }

  /** Remembers why a lookup failed. @throws the error, unless there is no such campaign */
  #failed(id: string, under: FoundUnder, error: unknown): void {
    const notFoundSeconds = this.#parts.notFoundSeconds();
    if (!(error instanceof Problem)) throw error;
    if (error.code === 'campaign-not-found') {
      this.known.remember(id, 'none', under === 'nothing' ? notFoundSeconds : emptyRememberedSeconds);
      return;
    }
    if (error.isLasting) this.known.remember(id, error, notFoundSeconds);
    throw error;
  }
}

const isUuid = (id: string) => id.includes('-');

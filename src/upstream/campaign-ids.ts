/**
 * Ids of campaigns, looked up in v3: v2's digits by `GET /v3/emails/campaign_id_xrefs`, UUIDs by
 * `GET /v3/emails/{campaign_id}`. What an id means never changes, so it is asked for once.
 */
import { z } from 'zod';
import { type Clock, sleep } from '../clock.ts';
import { strictRows } from '../model/rows.ts';
import { Problem, remembered } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import { Waiters } from '../quota/waiters.ts';
import type { Call, Exchange } from './adapter.ts';
import { isOfPath, parseAnswer, refusalOfId } from './answers.ts';
import { authorized, type BearerTokens } from './bearer.ts';
import { KnownIds, type MeantActivity } from './known-ids.ts';
import { askerOf } from './retry-budget.ts';

/** Ids that one call may ask for (vendor's documentation). */
const maxBatch = 50;
/** Lookups that arrive together are sent together; a call takes a hundred times as long. */
const gatherMs = 5;
/** Activities of one campaign that are learned; it has one for each resend. */
const maxActivities = 100;
/** How long a UUID that has an empty report and is no campaign's is remembered as that. */
const emptyRememberedSeconds = 86_400;

/** As our callers' ids are, so that one id is one key. */
const uuid = z.guid().toLowerCase();

const xrefs = z.object({
  xrefs: strictRows(
    z.object({
      v2_email_campaign_id: z.coerce.string(),
      campaign_id: uuid.optional().catch(undefined),
      campaign_activity_id: uuid,
    }),
  ),
});

/** Statuses come in two spellings (recorded traffic), so roles may. An activity that cannot be read is none of ours. */
const activity = z.object({ campaign_activity_id: uuid, role: z.string().toLowerCase() });
const campaign = z.object({ campaign_activities: z.array(z.unknown()).nullish() });
const primary = 'primary_email';
/** Roles of activities that have reports (vendor's documentation). */
const reportedRoles: ReadonlySet<string> = new Set([primary, 'resend']);

interface Batch {
  readonly key: string;
  readonly ids: Set<string>;
  /** Whether its call has been made, so that nothing can be added to it. */
  closed: boolean;
  answer: Promise<void>;
}

interface Parts {
  readonly tokens: BearerTokens;
  readonly clock: Clock;
  /** How long an unknown id is remembered. */
  readonly notFoundSeconds: number;
  /** Monotonic time of the last outage: lookups that are remembered to have failed before it are made again. */
  readonly outageAt: () => number;
  readonly known?: KnownIds;
}

/** What was found under a UUID that may be a campaign's. */
export type FoundUnder = 'nothing' | 'an empty report';

export class CampaignIds {
  readonly known: KnownIds;
  readonly #parts: Parts;
  readonly #waiters = new Waiters();
  /** By asker: what one asks for never waits for, or fails with, another one's ids. */
  readonly #gathering = new Map<string, Batch>();
  /** By asker and id: what is being looked up is not looked up once more. */
  readonly #running = new Map<string, Batch>();
  #batches = 0;
  /** Lookups of UUIDs that are being made. */
  readonly #finding = new Map<string, Promise<void>>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.known = parts.known ?? new KnownIds(parts.clock);
  }

  /**
   * The campaign activity id that a caller's id means, as far as that is known or can be asked by v2's digits: a UUID that
   * means nothing else is taken for an activity's.
   *
   * @throws Problem `campaign-not-found`, or with any of the upstream codes, also remembered ones
   */
  async resolve(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<string> {
    const { known } = this;
    if (!isUuid(id) && !known.exists(id) && !this.#without(id)) await this.#lookUp(id, call, demand, signal);
    const without = this.#without(id);
    if (without?.kind === 'failed')
      throw remembered(without.problem.code, known.rememberedMs(id), without.problem.reason);
    if (without?.kind === 'no-activity') throw new Problem('campaign-not-found', { reason: 'no-activity' });
    const activityId = known.activityOf(id);
    if (!isUuid(activityId)) throw new Problem('campaign-not-found', { reason: 'xref' });
    return activityId;
  }

  /**
   * Looks a UUID up as a campaign's, unless it is known what it is. Concurrent callers share one lookup. `resolve` says the
   * result.
   *
   * @throws Problem with any of the upstream codes; none when there is no such campaign
   */
  async tryAsCampaign(id: string, under: FoundUnder, call: Call, demand: Demand, signal: AbortSignal): Promise<void> {
    if (this.known.exists(id) || this.#without(id)) return;
    const key = `campaign ${id}`;
    const wait = this.#waiters.join(key, demand, demand.urgency, signal);
    demand.onJoin((payer, urgency) => wait.demand.join(payer, urgency));
    const finding = this.#finding.get(key) ?? this.#find(key, id, under, call, wait.demand, wait.signal);
    this.#finding.set(key, finding);
    await wait.until(finding);
  }

  #without(id: string) {
    const without = this.known.without(id);
    const hasPassed = without?.kind === 'failed' && without.at <= this.#parts.outageAt();
    return hasPassed ? undefined : without;
  }

  async #find(key: string, id: string, under: FoundUnder, call: Call, demand: Demand, signal: AbortSignal) {
    const { known } = this;
    const { notFoundSeconds } = this.#parts;
    try {
      const activities = await call(this.#campaign(id), demand, signal);
      const main = activities.find(({ role }) => role === primary)?.campaign_activity_id;
      for (const { campaign_activity_id: one, role } of activities) {
        if (reportedRoles.has(role)) known.addActivity(one);
      }
      if (main !== undefined) known.learn([[id, main]]);
      if (!known.exists(id)) known.remember(id, 'no-activity', notFoundSeconds);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'campaign-not-found') {
        known.remember(id, 'none', under === 'nothing' ? notFoundSeconds : emptyRememberedSeconds);
      } else {
        if (error.isLasting) known.remember(id, error, notFoundSeconds);
        throw error;
      }
    } finally {
      this.#finding.delete(key);
      this.#waiters.done(key);
    }
  }

  /** @throws Problem `campaign-not-found` when there is none */
  #campaign(id: string): Exchange<readonly z.output<typeof activity>[]> {
    return authorized(this.#parts.tokens, {
      path: `/v3/emails/${id}`,
      parse: (body) => {
        const all = parseAnswer(campaign, body).campaign_activities ?? [];
        return all.slice(0, maxActivities).flatMap((one) => activity.safeParse(one).data ?? []);
      },
      refusal: refusalOfId,
    });
  }

  async #lookUp(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<void> {
    const asker = askerOf(demand);
    const own = `${asker} ${id}`;
    const gathering = this.#gathering.get(asker);
    const open = gathering && !gathering.closed && gathering.ids.size < maxBatch ? gathering : undefined;
    const batch = this.#running.get(own) ?? open ?? this.#begin(asker);
    const isFirst = batch.ids.size === 0;
    batch.ids.add(id);
    this.#running.set(own, batch);
    const wait = this.#waiters.join(batch.key, demand, demand.urgency, signal);
    demand.onJoin((payer, urgency) => wait.demand.join(payer, urgency));
    if (isFirst) {
      batch.answer = this.#send(batch, call, wait.demand, wait.signal).finally(() => {
        if (this.#gathering.get(asker) === batch) this.#gathering.delete(asker);
        for (const one of batch.ids) this.#running.delete(`${asker} ${one}`);
      });
    }
    await wait.until(batch.answer);
  }

  #begin(asker: string): Batch {
    const batch = { key: String(this.#batches++), ids: new Set<string>(), closed: false, answer: Promise.resolve() };
    this.#gathering.set(asker, batch);
    return batch;
  }

  async #send(batch: Batch, call: Call, demand: Demand, signal: AbortSignal): Promise<void> {
    const ask = async (ids: ReadonlySet<string>): Promise<void> => {
      try {
        await call(this.#exchange(ids, batch), demand, signal);
      } catch (error) {
        if (!(error instanceof Problem) || (error.code !== 'campaign-not-found' && !error.isLasting)) throw error;
        // One id that v3 cannot read, or that fails alone, may spoil the batch: the batch is bisected. That the call is there
        // no more, as the vendor has announced, is no id's fault.
        const all = [...ids];
        if (all.length === 1 || isOfPath(error)) {
          for (const id of all) this.#fail(id, error);
          return;
        }
        const middle = all.length >> 1;
        await Promise.all([ask(new Set(all.slice(0, middle))), ask(new Set(all.slice(middle)))]);
      }
    };
    try {
      await sleep(this.#parts.clock, gatherMs, signal);
      await ask(batch.ids);
    } finally {
      batch.closed = true;
      this.#waiters.done(batch.key);
    }
  }

  #exchange(ids: ReadonlySet<string>, batch: Batch): Exchange<void> {
    return authorized(this.#parts.tokens, {
      path: '/v3/emails/campaign_id_xrefs',
      query: () => {
        batch.closed = true;
        return { v2_email_campaign_ids: [...ids].join(',') };
      },
      parse: (body) => {
        const found = parseAnswer(xrefs, body).xrefs.filter((one) => ids.has(one.v2_email_campaign_id));
        this.known.learn(
          found.flatMap(({ v2_email_campaign_id, campaign_id, campaign_activity_id }): MeantActivity[] => [
            [v2_email_campaign_id, campaign_activity_id],
            ...(campaign_id === undefined ? [] : [[campaign_id, campaign_activity_id] as const]),
          ]),
        );
        for (const id of ids) if (!this.known.exists(id)) this.#fail(id, undefined);
      },
      refusal: refusalOfId,
    });
  }

  /** @param problem undefined when there is no such id */
  #fail(id: string, problem: Problem | undefined): void {
    const isUnknown = problem === undefined || problem.code === 'campaign-not-found';
    this.known.remember(id, isUnknown ? 'none' : problem, this.#parts.notFoundSeconds);
  }
}

const isUuid = (id: string) => id.includes('-');

/**
 * v2 campaign ids, looked up in v3: `GET /v3/emails/campaign_id_xrefs`. The mapping never changes, so it is asked for once.
 */
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { type Clock, sleep } from '../clock.ts';
import { Problem, remembered } from '../problems.ts';
import { isGone, parseAnswer, refusalOf, rows } from './answers.ts';
import type { Call, Exchange } from './dialect.ts';
import type { Demand } from './quota/demand.ts';
import { Waiters } from './quota/waiters.ts';
import { askerOf } from './retry-budget.ts';
import { authorized, type BearerTokens } from './v3.ts';

/** Ids that one call may ask for (vendor's documentation). */
const maxBatch = 50;
/** Lookups that arrive together are sent together; a call takes a hundred times as long. */
const gatherMs = 5;
const maxKnown = 100_000;
const unknown = '';

const xrefs = z.object({
  xrefs: rows(z.object({ v2_email_campaign_id: z.coerce.string(), campaign_activity_id: z.guid() })),
});

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
}

/** Why an id could not be looked up, and when. */
interface Failed {
  readonly problem: Problem;
  readonly at: number;
}

export class CampaignIds {
  readonly #parts: Parts;
  /** Activity ids by v2 id; an empty one where there is none, or why one cannot be looked up. */
  readonly #known: LRUCache<string, string | Failed>;
  readonly #waiters = new Waiters();
  /** By asker: what one asks for never waits for, or fails with, another one's ids. */
  readonly #gathering = new Map<string, Batch>();
  #batches = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#known = new LRUCache({ max: maxKnown, ttlResolution: 0, perf: { now: () => parts.clock.monotonic() } });
  }

  /**
   * The campaign activity id that a caller's id means: itself, or what v3 has for a v2 id.
   *
   * @throws Problem `campaign-not-found`, or with any of the upstream codes
   */
  async resolve(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<string> {
    if (id.includes('-')) return id;
    const known = this.#known.get(id);
    const hasPassed = typeof known === 'object' && known.at <= this.#parts.outageAt();
    if (known === undefined || hasPassed) await this.#lookUp(id, call, demand, signal);
    const found = this.#known.get(id) ?? unknown;
    if (typeof found === 'object')
      throw remembered(found.problem.code, this.#known.getRemainingTTL(id), found.problem.reason);
    if (found === unknown) throw new Problem('campaign-not-found', { reason: 'xref' });
    return found;
  }

  async #lookUp(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<void> {
    const asker = askerOf(demand);
    const gathering = this.#gathering.get(asker);
    const batch = gathering && !gathering.closed && gathering.ids.size < maxBatch ? gathering : this.#begin(asker);
    const isFirst = batch.ids.size === 0;
    batch.ids.add(id);
    const wait = this.#waiters.join(batch.key, demand, demand.urgency, signal);
    demand.onJoin((payer, urgency) => wait.demand.join(payer, urgency));
    if (isFirst) {
      batch.answer = this.#send(batch, call, wait.demand, wait.signal).finally(() => {
        if (this.#gathering.get(asker) === batch) this.#gathering.delete(asker);
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
        // One id that v3 cannot read, or that fails alone, may spoil the batch: the batch is bisected.
        const all = [...ids];
        const [only] = all;
        if (only !== undefined && all.length === 1) return this.#fail(only, error);
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
        const found = parseAnswer(xrefs, body).xrefs.map(
          (one) => [one.v2_email_campaign_id, one.campaign_activity_id] as const,
        );
        this.#remember([...ids], new Map(found));
      },
      refusal: (reply) =>
        reply.status === 400 && !isGone(reply)
          ? { problem: new Problem('campaign-not-found', { reason: 'xref' }), again: 'never' }
          : refusalOf(reply),
    });
  }

  #remember(ids: readonly string[], found: ReadonlyMap<string, string>): void {
    for (const id of ids) {
      const activityId = found.get(id);
      if (activityId !== undefined) this.#known.set(id, activityId);
      else this.#fail(id, undefined);
    }
  }

  /** @param problem undefined when there is no such id */
  #fail(id: string, problem: Problem | undefined): void {
    const { clock, notFoundSeconds } = this.#parts;
    const isUnknown = problem === undefined || problem.code === 'campaign-not-found';
    this.#known.set(id, isUnknown ? unknown : { problem, at: clock.monotonic() }, { ttl: notFoundSeconds * 1000 });
  }
}

/**
 * `GET|HEAD /campaigns/:id/sends/summary`: what is known of a campaign without reading it all.
 */
import type { RequestHandler } from 'express';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { lookAgain } from '../cache/look-again.ts';
import type { UnknownIds } from '../cache/unknown-ids.ts';
import type { Clock } from '../clock.ts';
import { untilGone } from '../http/disconnect.ts';
import { answerJson, hasToAcceptJson } from '../http/json-response.ts';
import { onlyReads } from '../http/methods.ts';
import { exchangeOf, payerOf } from '../http/request-context.ts';
import { searchOf } from '../http/target.ts';
import type { CampaignIdRule, OtherIds } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/sends.ts';
import { Problem, remembered } from '../problems.ts';
import type { Demand, Payer } from '../quota/demand.ts';
import { Waiters } from '../quota/waiters.ts';
import { parseCampaign } from '../reports/query.ts';

interface Parts {
  readonly fetchSummary: (campaign: string, demand: Demand, signal: AbortSignal) => Promise<CampaignSummary>;
  /** Bounds what clients may ask that does not exist. */
  readonly unknownIds: UnknownIds;
  /** The ids by which one campaign can be asked for. */
  readonly ids: OtherIds;
  readonly clock: Clock;
  /** Monotonic time of the last outage: failures that are remembered from before it count no more. */
  readonly outageAt: () => number;
}

export interface SummaryOptions {
  readonly minFreshSeconds: number;
  readonly staleIfErrorSeconds: number;
  readonly notFoundSeconds: number;
}

export const summaryPath = '/campaigns/:id/sends/summary';

export const summarySchema = z.object({
  campaign_id: z.string().meta({ description: 'The id that was asked for', examples: ['1100394165287'] }),
  sends: z
    .int()
    .nonnegative()
    .nullable()
    .meta({
      description:
        'Sends, as Constant Contact counts them; null where it has no number yet, as before a campaign has gone out',
      examples: [3],
    }),
});

/** Where summaries come from. */
export type SummarySource = Pick<Summaries, 'get'>;

const maxSummaries = 10_000;

/** What was answered last, and when it is time to ask again. Times in milliseconds of the monotonic clock. */
interface Held {
  readonly answer: CampaignSummary | Problem;
  readonly askedAt: number;
  readonly freshUntil: number;
}

/** Every method of the resource. Rejects with Problems, for the error handler to answer. */
export function summaryHandler(summaries: SummarySource, ids: CampaignIdRule): RequestHandler<{ id: string }> {
  return async (req, res) => {
    const { told } = exchangeOf(req);
    told.route = summaryPath;
    if (onlyReads(req)) return;
    hasToAcceptJson(req.headers);
    const campaign = parseCampaign(req.params.id, searchOf(req.url), ids);
    told.campaign = campaign;
    const { sends } = await summaries.get(campaign, payerOf(req), untilGone(res));
    const summary = { campaign_id: campaign, sends } satisfies z.output<typeof summarySchema>;
    answerJson(req, 'private, no-cache', summary);
  };
}

/** One call for all who ask, at most once in `minFreshSeconds` a campaign; a held answer beats the upstream's failure. */
export class Summaries {
  readonly #parts: Parts;
  readonly #options: SummaryOptions;
  readonly #held = new LRUCache<string, Held>({ max: maxSummaries });
  readonly #fetching = new Map<string, Promise<CampaignSummary>>();
  readonly #waiters = new Waiters();

  constructor(parts: Parts, options: SummaryOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * The summary, held once for all ids of a campaign.
   *
   * @throws Problem, or the signal's reason
   */
  async get(campaign: string, payer: Payer, signal: AbortSignal): Promise<CampaignSummary> {
    const { unknownIds, ids } = this.#parts;
    const look = () => lookAgain(() => this.#get(ids.activityOf(campaign), payer, signal), signal);
    return payer.client === undefined ? look() : unknownIds.watch(payer.client, campaign, signal, look);
  }

  async #get(campaign: string, payer: Payer, signal: AbortSignal): Promise<CampaignSummary> {
    const { clock, outageAt } = this.#parts;
    const held = this.#held.get(campaign);
    if (held && clock.monotonic() < held.freshUntil) {
      if (!(held.answer instanceof Problem)) return held.answer;
      const { code, reason, isLasting } = held.answer;
      if (!isLasting || held.askedAt > outageAt()) throw remembered(code, held.freshUntil - clock.monotonic(), reason);
    }
    const wait = this.#waiters.join(campaign, payer, 'interactive', signal);
    const fetching = this.#fetching.get(campaign) ?? this.#fetch(campaign, held, wait.demand, wait.signal);
    this.#fetching.set(campaign, fetching);
    return wait.until(fetching);
  }

  /** Forgets one campaign, or all of them. */
  forget(campaign?: string): void {
    if (campaign === undefined) this.#held.clear();
    else this.#held.delete(campaign);
  }

  async #fetch(campaign: string, old: Held | undefined, demand: Demand, signal: AbortSignal): Promise<CampaignSummary> {
    const { clock, fetchSummary } = this.#parts;
    const { minFreshSeconds, notFoundSeconds, staleIfErrorSeconds } = this.#options;
    const hold = (answer: Held['answer'], seconds: number, askedAt = clock.monotonic()) =>
      this.#held.set(campaign, { answer, askedAt, freshUntil: clock.monotonic() + seconds * 1000 });
    try {
      const answer = await fetchSummary(campaign, demand, signal);
      hold(answer, minFreshSeconds);
      return answer;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.code === 'campaign-not-found') hold(error, notFoundSeconds);
      else if (
        old &&
        !(old.answer instanceof Problem) &&
        clock.monotonic() < old.askedAt + staleIfErrorSeconds * 1000
      ) {
        // A team's part of the day that is spent keeps nobody else from asking.
        if (error.reason !== 'share') hold(old.answer, minFreshSeconds, old.askedAt);
        return old.answer;
      } else if (error.isLasting) {
        hold(error, notFoundSeconds);
        throw remembered(error.code, Math.max(notFoundSeconds, error.retryAfterSeconds ?? 0) * 1000, error.reason);
      }
      throw error;
    } finally {
      this.#fetching.delete(campaign);
      this.#waiters.done(campaign);
    }
  }
}

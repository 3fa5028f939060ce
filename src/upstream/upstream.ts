/**
 * Constant Contact for the rest of Sendgate: fetches pages, or throws a Problem.
 */
import type { Clock } from '../clock.ts';
import { noCounts } from '../model/campaign.ts';
import { MeansAnotherId, type OtherIds } from '../model/campaign-ids.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import type { ParsedPage } from '../model/resource.ts';
import type { OddRows } from '../model/rows.ts';
import type { V3Stats } from '../model/sources.ts';
import { Problem } from '../problems.ts';
import { account } from '../quota/day-shares.ts';
import { Demand } from '../quota/demand.ts';
import type { Adapter, Question } from './adapter.ts';
import type { Asking, CallLoop } from './call-loop.ts';
import type { IdLookup } from './id-lookup.ts';
import { StatsLookup } from './stats-lookup.ts';

interface Parts {
  readonly clock: Clock;
  readonly adapter: Adapter;
  readonly idLookup: IdLookup;
  readonly calls: Pick<CallLoop, 'asking' | 'close'>;
  /** Called with the odd fields of an accepted page. */
  readonly onOdd: (query: PageQuery, odd: OddRows) => void;
}

export class Upstream {
  readonly #parts: Parts;
  readonly #stats: StatsLookup | undefined;

  constructor(parts: Parts) {
    const { clock, adapter } = parts;
    this.#parts = parts;
    this.#stats = adapter.stats && new StatsLookup(clock, adapter.stats);
  }

  get adapter(): Pick<Adapter, 'campaignIds' | 'filtersSince'> {
    return this.#parts.adapter;
  }

  get ids(): OtherIds {
    return this.#parts.idLookup.known;
  }

  /**
   * Fetches one page, or a single item.
   *
   * @param demand who pays, and how urgently
   * @param signal ends the wait for a permit; a started call always completes, since it is paid for
   * @throws Problem with any upstream code, or MeansAnotherId
   */
  async fetchPage(query: PageQuery, demand: Demand, signal: AbortSignal): Promise<ParsedPage> {
    const { adapter, onOdd } = this.#parts;
    const { campaign } = query;
    const asking = this.#asking(demand, signal);
    if (this.#stats && query.resource === 'v3-stats') return this.#fetchStats(this.#stats, query, asking);
    const isOfAccount = campaign === noCampaign;
    const answer = await (isOfAccount ? ask(asking, adapter.page(query)) : this.#fetchOfCampaign(query, asking));
    if (answer.odd) onOdd(query, answer.odd);
    return answer;
  }

  async #fetchOfCampaign(query: PageQuery, asking: Asking): Promise<ParsedPage> {
    const { adapter, idLookup } = this.#parts;
    const { campaign } = query;
    const question = adapter.page(query);
    await this.#hasToBeItsOwn(campaign, asking);
    const answer = await orNotFound(ask(asking, question));
    const isRefused = answer instanceof Problem;
    if (!isRefused && (answer.rows.length > 0 || answer.cursor !== undefined)) this.ids.addActivity(campaign);
    else {
      // A campaign's UUID gets a 404 or an empty report, also behind a cursor when a walk outlives a restart.
      await idLookup.tryAsCampaign(campaign, isRefused ? 'nothing' : 'an empty report', asking);
      await this.#hasToBeItsOwn(campaign, asking);
    }
    if (isRefused) throw answer;
    return answer;
  }

  async #fetchStats(stats: StatsLookup, { campaign }: PageQuery, asking: Asking): Promise<ParsedPage> {
    const { idLookup } = this.#parts;
    await this.#hasToBeItsOwn(campaign, asking);
    // v3 returns 404 for a malformed id.
    const found = await orNotFound(stats.lookUp(campaign, asking));
    if (found !== undefined && !(found instanceof Problem)) {
      this.ids.addActivity(campaign);
      return { rows: [found], cursor: undefined };
    }
    // Statistics do not tell an activity that has none from one that does not exist.
    if (!this.ids.exists(campaign)) {
      await idLookup.tryAsCampaign(campaign, 'nothing', asking);
      await this.#hasToBeItsOwn(campaign, asking);
      await ask(asking, stats.questions.existence(campaign));
      this.ids.addActivity(campaign);
    }
    return noStats;
  }

  /**
   * Looks up which activity an id means, charged to the account, if unknown.
   *
   * @throws Problem with any upstream code; not if the id is unknown
   */
  async identify(id: string): Promise<void> {
    const { idLookup } = this.#parts;
    const asking = this.#asking(new Demand(account, 'interactive'), new AbortController().signal);
    const meant = await orNotFound(idLookup.resolve(id, asking));
    if (meant === id) await orNotFound(idLookup.tryAsCampaign(id, 'nothing', asking));
  }

  close(): void {
    this.#parts.calls.close();
  }

  #asking(demand: Demand, signal: AbortSignal): Asking {
    return this.#parts.calls.asking(demand, signal);
  }

  /** @throws MeansAnotherId, or Problem if the id is known to have no activity */
  async #hasToBeItsOwn(id: string, asking: Asking): Promise<void> {
    if ((await this.#parts.idLookup.resolve(id, asking)) !== id) throw new MeansAnotherId();
  }
}

/** Statistics of an activity that has none yet. */
const noStats: ParsedPage = { rows: [{ ...noCounts, refreshed_at: '' } satisfies V3Stats], cursor: undefined };

/** Asks a question, and those that complete its answer. */
async function ask<T>({ ask: askOne, demand, signal }: Asking, question: Question<T>): Promise<T> {
  for (let next = question; ; ) {
    const asked = next;
    const answer = await askOne(() => asked, demand, signal);
    const following = asked.following?.(answer);
    if (!following) return answer;
    next = following;
  }
}

/** Returns `campaign-not-found` as a value; other errors are thrown. */
async function orNotFound<T>(result: Promise<T>): Promise<T | Problem> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Problem && error.code === 'campaign-not-found') return error;
    throw error;
  }
}

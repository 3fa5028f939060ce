/**
 * Constant Contact for the rest of Sendgate: fetches pages and summaries, or throws a Problem.
 */
import { MeansAnotherId, type OtherIds } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ReportPage } from '../model/report.ts';
import type { OddRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import { account } from '../quota/day-shares.ts';
import { Demand } from '../quota/demand.ts';
import type { Adapter, Question } from './adapter.ts';
import type { Asking, CallLoop } from './call-loop.ts';
import type { IdLookup } from './id-lookup.ts';

interface Parts {
  readonly adapter: Adapter;
  readonly idLookup: IdLookup;
  readonly calls: Pick<CallLoop, 'asking' | 'close'>;
  /** Called with the odd fields of an accepted page. */
  readonly onOdd: (campaign: string, odd: OddRows) => void;
}

export class Upstream {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  get adapter(): Pick<Adapter, 'campaignIds' | 'filtersSince'> {
    return this.#parts.adapter;
  }

  get ids(): OtherIds {
    return this.#parts.idLookup.known;
  }

  /**
   * Fetches one page.
   *
   * @param demand who pays, and how urgently
   * @param signal ends the wait for a permit; a started call always completes, since it is paid for
   * @throws Problem with any upstream code, or MeansAnotherId
   */
  async fetchPage(query: PageQuery, demand: Demand, signal: AbortSignal): Promise<ReportPage> {
    const { adapter, idLookup, onOdd } = this.#parts;
    const { campaign } = query;
    const question = adapter.page(query);
    const asking = this.#asking(demand, signal);
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
    if (answer.odd) onOdd(campaign, answer.odd);
    return answer;
  }

  /** Fetches a campaign's summary. Throws like `fetchPage`. */
  async fetchSummary(campaign: string, demand: Demand, signal: AbortSignal): Promise<CampaignSummary> {
    const { adapter, idLookup } = this.#parts;
    const asking = this.#asking(demand, signal);
    await this.#hasToBeItsOwn(campaign, asking);
    // v3 returns 404 for a malformed id.
    const summary = await orNotFound(ask(asking, adapter.summary(campaign)));
    const isRefused = summary instanceof Problem;
    if (!isRefused && summary !== undefined) this.ids.addActivity(campaign);
    else if (!this.ids.exists(campaign)) {
      await idLookup.tryAsCampaign(campaign, 'nothing', asking);
      await this.#hasToBeItsOwn(campaign, asking);
      const existence = adapter.existence(campaign);
      if (existence) {
        await ask(asking, existence);
        this.ids.addActivity(campaign);
        return noSummary;
      }
    }
    if (isRefused) throw summary;
    return summary ?? noSummary;
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

/** Summary of a campaign without statistics yet. */
const noSummary: CampaignSummary = { sends: null };

const ask = <T>({ ask, demand, signal }: Asking, question: Question<T>) => ask(() => question, demand, signal);

/** Returns `campaign-not-found` as a value; other errors are thrown. */
async function orNotFound<T>(result: Promise<T>): Promise<T | Problem> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof Problem && error.code === 'campaign-not-found') return error;
    throw error;
  }
}

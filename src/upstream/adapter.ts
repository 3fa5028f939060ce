/**
 * What every version of Constant Contact's API has to be able to do for us. One object a version.
 */

import type { CampaignIdRule, OtherIds } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ReportPage } from '../model/report.ts';
import type { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';

export interface UpstreamRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** In place of `query`: one that has to go up as Constant Contact spelled it. */
  readonly search?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly form?: URLSearchParams;
}

/** An answer, with any status but a redirect's. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an upstream error means for the next call. */
export interface Refusal {
  readonly problem: Problem;
  /** Worth another call at once: `retry` any time, `confirm` a single time, since the first answer may mislead. */
  readonly again: 'never' | 'retry' | 'confirm';
  /** How long the answer asks to wait (`Retry-After`), in milliseconds and within a day; undefined where it does not. */
  readonly waitMs?: number | undefined;
}

/** One question to Constant Contact, and how its answers are read. */
export interface Exchange<T> {
  /** Asked for anew for every try, when its turn has come. */
  request(): UpstreamRequest;
  /** @throws Problem `upstream-failed` when the body is not what was asked for */
  parse(body: string): T;
  refusal(reply: Reply): Refusal;
}

/** Makes a call in its turn, and again where that helps; all calls of one dialect go through here. */
export type Call = <T>(exchange: Exchange<T>, demand: Demand, signal: AbortSignal) => Promise<T>;

export interface Dialect {
  readonly campaignIds: CampaignIdRule;
  /** Whether `created_since` is understood upstream; where it is not, pages are asked for without it. */
  readonly filtersSince: boolean;
  /** A question that no caller has a part in: any answer but 401, 403, 5xx or a limit means that credentials and API are well. */
  neutral(): Exchange<unknown>;
  readonly ids: OtherIds;
  /**
   * Finds out what an id means, where that is not known and it may mean another one.
   *
   * @throws Problem with any of the upstream codes; none when there is no such id
   */
  identify(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<void>;
  /** @throws Problem with any of the upstream codes, or MeansAnotherId */
  fetchPage(query: PageQuery, call: Call, demand: Demand, signal: AbortSignal): Promise<ReportPage>;
  /** @throws Problem with any of the upstream codes, or MeansAnotherId */
  fetchSummary(campaign: string, call: Call, demand: Demand, signal: AbortSignal): Promise<CampaignSummary>;
}

/**
 * What a version of Constant Contact's API is for us: a request and a parser for every question. No I/O, and no credentials.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ReportPage } from '../model/report.ts';
import type { Problem } from '../problems.ts';
import type { ErrorBody } from './error-body.ts';

/** A GET, or a POST where there is a form. */
export interface UpstreamRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** In place of `query`: one that has to go up as Constant Contact spelled it. */
  readonly search?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: URLSearchParams;
}

/** An answer, with any status but a redirect's. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** An answer with another status than 200. Its body is parsed once, for all who look into it. */
export interface ErrorReply extends Reply {
  readonly error: ErrorBody;
}

/** What an upstream error means for the next call. */
export interface ErrorMeaning {
  readonly problem: Problem;
  /** Worth another call at once: `retry` any time, `confirm` a single time, since the first answer may mislead. */
  readonly again: 'never' | 'retry' | 'confirm';
  /** How long the answer asks to wait (`Retry-After`), in milliseconds and within a day; undefined where it does not. */
  readonly waitMs?: number | undefined;
}

/** One question to Constant Contact, and how its answers are read. Nothing changes by making or reading one. */
export interface Question<T> {
  readonly request: UpstreamRequest;
  /** @throws Problem `upstream-failed` when the body is not what was asked for */
  parse(body: string): T;
  meaningOf(reply: ErrorReply): ErrorMeaning;
}

export interface Adapter {
  readonly campaignIds: CampaignIdRule;
  /** Whether `created_since` is understood upstream; where it is not, pages are asked for without it. */
  readonly filtersSince: boolean;
  /** A question that no caller has a part in: any answer but 401, 403, 5xx or a limit means that credentials and API are well. */
  readonly neutral: Question<unknown>;
  /** @throws Problem `invalid-cursor` for a cursor that cannot be Constant Contact's */
  page(query: PageQuery): Question<ReportPage>;
  /** Undefined where there are no statistics of it (yet). */
  summary(campaign: string): Question<CampaignSummary | undefined>;
  /** Whether there is such a campaign; undefined where its summary always tells. */
  existence(campaign: string): Question<unknown> | undefined;
}

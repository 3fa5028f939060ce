/**
 * The seam to one version of Constant Contact's API: a request and a parser for every question. No I/O and no credentials.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { CallReport, ParsedPage } from '../model/resource.ts';
import type { V3Stats } from '../model/sources.ts';
import type { Problem } from '../problems.ts';
import type { ErrorBody } from './error-body.ts';

/** A GET, or a POST if there is a form. */
export interface UpstreamRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Raw query in place of `query`, sent in Constant Contact's own spelling. */
  readonly search?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: URLSearchParams;
}

/** A response with any status except a redirect. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A response with a status other than 200. Its body is parsed once for all who inspect it. */
export interface ErrorReply extends Reply {
  readonly error: ErrorBody;
}

/** What an upstream error means for the next call. */
export interface ErrorMeaning {
  readonly problem: Problem;
  /** Whether another call may help: `retry` any number of times, `confirm` once, since the first response may mislead. */
  readonly again: 'never' | 'retry' | 'confirm';
  /** The response's `Retry-After` in milliseconds, at most a day; undefined without one. */
  readonly waitMs?: number | undefined;
  /** Whether there was no connection: no byte of the request was sent. */
  readonly isUnsent?: boolean;
}

/** One question to Constant Contact, with the parser of its response. Creating or parsing one has no side effects. */
export interface Question<T> {
  /** What it is asked for. */
  readonly report: CallReport;
  readonly request: UpstreamRequest;
  /** @throws Problem `upstream-failed` if the body is not what the question expects */
  parse(body: string): T;
  meaningOf(reply: ErrorReply): ErrorMeaning;
  /** Returns the question that completes the answer, if one does not suffice. */
  following?(answer: T): Question<T>;
}

/** Statistics of several activities in one question. */
export interface StatsQuestions {
  /** Most activities in one question. */
  readonly max: number;
  /** Parsed without the activities that have none (yet). */
  readonly of: (activities: ReadonlySet<string>) => Question<ReadonlyMap<string, V3Stats>>;
  /** Asks whether an activity exists. */
  readonly existence: (activity: string) => Question<unknown>;
}

export interface Adapter {
  readonly campaignIds: CampaignIdRule;
  /** Whether the upstream supports `created_since`; if not, pages are fetched without it. */
  readonly filtersSince: boolean;
  /** A question without caller input: any response except 401, 403, 5xx or a limit proves that credentials and API work. */
  readonly neutral: Question<unknown>;
  /** @throws Problem `invalid-cursor` for a cursor that cannot be Constant Contact's */
  page(query: PageQuery): Question<ParsedPage>;
  /** Undefined where a campaign's counts are part of another answer. */
  readonly stats?: StatsQuestions;
}

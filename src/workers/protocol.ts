/**
 * What workers and the primary say to each other: questions with one answer each, reports and orders.
 */
import type { Ask, Lookup } from '../cache/page-source.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { PublicStatus } from '../observability/status.ts';
import type { Tallied } from '../observability/tally.ts';
import type { ProblemCode } from '../problems.ts';
import type { Payer } from '../quota/demand.ts';

/** The variable in a worker's environment that holds the salt of `RateLimit-Policy`. */
export const saltVariable = 'PARTITION_SALT';

/** A page, as the primary answers with it. */
export interface AnsweredPage {
  readonly lookup: Lookup;
  /** Monotonic time at the primary, which is that of the page's times. */
  readonly at: number;
  /** How long it may be answered without asking again, in milliseconds. */
  readonly goodForMs: number;
  /** The campaign id whose invalidation is that of this page, too. */
  readonly heldUnder: string;
}

export interface AskedPage {
  readonly query: PageQuery;
  readonly ask: Omit<Ask, 'signal'>;
}

/** What a worker asks the primary, with the answers. */
export interface Questions {
  readonly page: { readonly about: AskedPage; readonly answer: AnsweredPage };
  /** Undefined where the quota is not ample enough. */
  readonly prefetch: { readonly about: AskedPage; readonly answer: AnsweredPage | undefined };
  readonly summary: {
    readonly about: { readonly campaign: string; readonly payer: Payer };
    readonly answer: CampaignSummary;
  };
  /** Adds requests of a client to the count of all workers. */
  readonly count: {
    readonly about: { readonly key: string; readonly count: number; readonly leftMs: number };
    readonly answer: { readonly total: number; readonly leftMs: number } | undefined;
  };
  /** Answered with the number of a slot for an export. */
  readonly enterExport: { readonly about: Payer; readonly answer: number };
  readonly leaveExport: { readonly about: number; readonly answer: undefined };
  readonly status: { readonly about: undefined; readonly answer: PublicStatus };
}

export type Question = keyof Questions;

/** The primary's answers, by question. */
export type Answers = {
  readonly [Q in Question]: (
    about: Questions[Q]['about'],
    signal: AbortSignal,
  ) => Questions[Q]['answer'] | Promise<Questions[Q]['answer']>;
};

/** What a worker reports regularly, and at its end. */
export interface WorkerReport {
  /** Where it listens; undefined before it does. */
  readonly url?: string;
  readonly responses: readonly Tallied[];
  readonly bytes: number;
  readonly exportsRunning: number;
}

/** `moved`: copies of a campaign's pages, or of all pages, are invalid. */
export type Order = { readonly moved: string | undefined } | 'reload' | 'drain';

/** A Problem, as it is sent. */
interface PlainProblem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly retryAfterSeconds: number | undefined;
  readonly reason: string | undefined;
}

export type FromWorker =
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly what: Question;
      readonly about: unknown;
      /** The headers that continue the trace of the request. */
      readonly trace: Readonly<Record<string, string>>;
    }
  /** The answer is not wanted any more. */
  | { readonly kind: 'leave'; readonly id: number }
  | { readonly kind: 'report'; readonly report: WorkerReport };

export type FromPrimary =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'problem'; readonly id: number; readonly problem: PlainProblem }
  | { readonly kind: 'order'; readonly order: Order };

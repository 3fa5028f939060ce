/**
 * Messages between workers and the primary: questions with one answer each, reports and orders.
 */
import type { Ask, Lookup } from '../cache/page-source.ts';
import type { Config } from '../config/schema.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { PublicStatus } from '../observability/status.ts';
import type { Tallied } from '../observability/tally.ts';
import type { ProblemCode } from '../problems.ts';
import type { Payer } from '../quota/demand.ts';

/** Environment variable that passes the salt of `RateLimit-Policy` to a worker. */
export const saltVariable = 'PARTITION_SALT';

/** A page in the primary's answer. */
export interface AnsweredPage {
  readonly lookup: Lookup;
  /** The primary's monotonic time, on the same clock as the page's times. */
  readonly at: number;
  /** How long a copy may be served without asking again, in milliseconds. */
  readonly goodForMs: number;
  /** Campaign id that the page is cached under: its invalidation applies to the copy. */
  readonly heldUnder: string;
}

export interface AskedPage {
  readonly query: PageQuery;
  readonly ask: Omit<Ask, 'signal'>;
}

/** Questions of a worker to the primary, with their answers. */
export interface Questions {
  readonly page: { readonly about: AskedPage; readonly answer: AnsweredPage };
  /** Undefined without quota or page. */
  readonly prefetch: { readonly about: AskedPage; readonly answer: AnsweredPage | undefined };
  /** Adds a client's requests to the count of all workers. */
  readonly count: {
    readonly about: { readonly key: string; readonly count: number; readonly leftMs: number };
    readonly answer: { readonly total: number; readonly leftMs: number } | undefined;
  };
  /** Takes a slot for an export; answers with its number. */
  readonly enterExport: { readonly about: Payer; readonly answer: number };
  readonly leaveExport: { readonly about: number; readonly answer: undefined };
  /** The configuration in use. */
  readonly config: { readonly about: undefined; readonly answer: Config };
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

/** Report that a worker sends regularly and at its end. */
export interface WorkerReport {
  /** Its URL; undefined until it listens. */
  readonly url?: string;
  readonly responses: readonly Tallied[];
  readonly bytes: number;
  readonly exportsRunning: number;
}

/** Order to a worker. `moved` invalidates copies of a campaign's pages, or of all pages; `purged` drops them. */
export type Order =
  | { readonly moved: string | undefined }
  | { readonly purged: string | undefined }
  | 'reload'
  | 'drain';

/** A Problem in a message. */
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
      /** Headers that continue the trace of the request. */
      readonly trace: Readonly<Record<string, string>>;
    }
  /** Cancels a question. */
  | { readonly kind: 'leave'; readonly id: number }
  | { readonly kind: 'report'; readonly report: WorkerReport }
  /** The address cannot be listened on. The primary ends the worker. */
  | { readonly kind: 'unbound'; readonly code: string };

export type FromPrimary =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'problem'; readonly id: number; readonly problem: PlainProblem }
  /** A changed configuration. */
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'order'; readonly order: Order };

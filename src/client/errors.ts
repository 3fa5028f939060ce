/**
 * The errors of the client.
 */
import type { Problem } from './api.ts';

/** The last part of a problem's `type`, e.g. `campaign-not-found`. */
export type ProblemCode = Problem['type'] extends `/problems/${infer Code}` ? Code : never;

/** An error response of Sendgate. Switch on `code`. */
export class SendgateError extends Error {
  override readonly name = 'SendgateError';
  /** `unreadable` if the response is not Sendgate's. */
  readonly code: ProblemCode | 'unreadable';
  readonly status: number;
  readonly problem: Problem | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, problem: Problem | undefined, retryAfterSeconds?: number) {
    super(problem?.detail ?? `the answer, with status ${status}, is not Sendgate's`);
    this.code = (problem?.type.split('/').at(-1) as ProblemCode | undefined) ?? 'unreadable';
    this.status = status;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** The error in a response. */
  static async from(answer: Response): Promise<SendgateError> {
    const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
    const problem = isProblem ? ((await answer.json()) as Problem) : undefined;
    // Sendgate writes seconds; a date comes from a proxy in front of it.
    const seconds = /^\d{1,6}$/.exec(answer.headers.get('retry-after') ?? '')?.[0];
    return new SendgateError(answer.status, problem, seconds === undefined ? undefined : Number(seconds));
  }
}

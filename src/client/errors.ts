/**
 * The errors of the client.
 */
import type { Problem } from './api.ts';

/** The last part of a problem's `type`, e.g. `campaign-not-found`. */
export type ProblemCode = Problem['type'] extends `/problems/${infer Code}` ? Code : never;

/** An error response of Sendgate, or a response that is not Sendgate's. Switch on `code`. */
export class SendgateError extends Error {
  override readonly name = 'SendgateError';
  /** `unreadable` if the response is not Sendgate's, whatever its status. */
  readonly code: ProblemCode | 'unreadable';
  readonly status: number;
  readonly problem: Problem | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, problem: Problem | undefined, retryAfterSeconds?: number) {
    super(problem?.detail ?? `status ${status} from something other than Sendgate, perhaps a proxy in front of it`);
    this.code = (problem?.type.split('/').at(-1) as ProblemCode | undefined) ?? 'unreadable';
    this.status = status;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** The error in a response. @throws TypeError when the connection fails before its end */
  static async from(answer: Response): Promise<SendgateError> {
    const body = await jsonOf(answer);
    // Sendgate writes seconds; a date comes from a proxy in front of it.
    const seconds = /^\d{1,6}$/.exec(answer.headers.get('retry-after') ?? '')?.[0];
    return new SendgateError(
      answer.status,
      isProblem(body) ? body : undefined,
      seconds === undefined ? undefined : Number(seconds),
    );
  }
}

/** Returns the JSON in a response; undefined if there is none. @throws TypeError when the connection fails before its end */
export async function jsonOf(answer: Response): Promise<unknown> {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Sendgate's types are paths, below its base path if it has one. Other servers have addresses, `about:blank` or no type. */
const typePattern = /^(?:\/[^/]+)*\/problems\/[a-z-]+$/;

function isProblem(body: unknown): body is Problem {
  const { type, title, detail, errors = [] }: Partial<Record<keyof Problem, unknown>> = Object(body);
  return (
    [type, title, detail].every((member) => typeof member === 'string') &&
    typePattern.test(String(type)) &&
    Array.isArray(errors)
  );
}

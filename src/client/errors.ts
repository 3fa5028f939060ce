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
  /** What the response's `Retry-After` says, in seconds or as a date. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, problem: Problem | undefined, retryAfterSeconds?: number) {
    super(
      problem
        ? inWords(problem)
        : `status ${status} from something other than Sendgate, perhaps a proxy in front of it`,
    );
    this.code = (problem?.type.split('/').at(-1) as ProblemCode | undefined) ?? 'unreadable';
    this.status = status;
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** The error in a response. @throws TypeError when the connection fails before its end */
  static async from(answer: Response): Promise<SendgateError> {
    const body = await jsonOf(answer);
    return new SendgateError(answer.status, isProblem(body) ? body : undefined, retryAfterSecondsOf(answer.headers));
  }
}

/** Parses `Retry-After` (RFC 9110 §10.2.3). Sendgate writes seconds; a date comes from a proxy in front of it. */
function retryAfterSecondsOf(headers: Headers): number | undefined {
  const text = headers.get('retry-after') ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  const atMs = msOf(text);
  if (atMs === undefined) return undefined;
  // Both dates come from the server's clock. Pages of other origins cannot read `Date`.
  const nowMs = msOf(headers.get('date') ?? '') ?? Date.now();
  return Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}

/** An HTTP-date in any of its forms (RFC 9110 §5.6.7); the one of asctime does not name its zone. */
function msOf(date: string): number | undefined {
  if (!/^[A-Z][a-z]{2,8},? .+:\d\d/.test(date)) return undefined;
  const ms = Date.parse(date.endsWith('GMT') ? date : `${date} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
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

/** What happened; if parameters are wrong, which ones and what is allowed. */
const inWords = ({ detail, errors }: Problem) =>
  errors?.map(({ parameter, problem, allowed }) => `${parameter} ${problem}. Allowed: ${allowed}.`).join(' ') || detail;

/** Sendgate's types are paths, below its base path if it has one. Other servers have addresses, `about:blank` or no type. */
const typePattern = /^(?:\/[^/]+)*\/problems\/[a-z-]+$/;

function isProblem(body: unknown): body is Problem {
  const { type, title, detail, errors = [] }: Partial<Record<keyof Problem, unknown>> = Object(body);
  return (
    areTexts([type, title, detail]) &&
    typePattern.test(String(type)) &&
    Array.isArray(errors) &&
    errors.every((mistake) => areTexts(mistakeMembers.map((member) => Object(mistake)[member])))
  );
}

const mistakeMembers = ['parameter', 'problem', 'allowed'];
const areTexts = (values: readonly unknown[]) => values.every((value) => typeof value === 'string');

/**
 * Requests to Sendgate, which are retried while an error is transient.
 */
import { jsonOf, type ProblemCode, SendgateError } from './errors.ts';
import { Patience } from './patience.ts';

export interface ClientOptions {
  /** Sendgate's address, with its base path if it has one. Pages of the same origin can omit the origin. */
  readonly baseUrl: string | URL;
  /** Your team's token, if operators issued one. */
  readonly token?: string | undefined;
  /** How long to retry one request, and to wait at the end of `campaigns`, in seconds; 120 by default, 0 for a single attempt. */
  readonly patienceSeconds?: number | undefined;
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Attempts to connect until Sendgate has answered the client once. A browser does not tell a Sendgate that is down from one that
 * does not list the page's origin, which lasts.
 */
const maxFirstConnections = 3;
/** Statuses of transient errors. */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Problems that last until a person acts or the day ends, whatever their status. */
const lasting: ReadonlySet<ProblemCode | 'unreadable'> = new Set([
  'upstream-credentials-refused',
  'upstream-gone',
  'upstream-quota-exhausted',
]);

/** What a header can have (RFC 9110 §5.5); `fetch` removes line breaks at the end. */
const tokenPattern = /^[\t\x20-\x7e\x80-\xff]*[\r\n]*$/;

export interface Answer<T> {
  readonly body: T;
  readonly headers: Headers;
}

/**
 * Gets `url`, and retries transient errors until an answer is complete or patience ends.
 *
 * @param isBody whether a body is Sendgate's
 * @param further request headers
 * @throws SendgateError; TypeError when Sendgate is unreachable or the token cannot be sent; the signal's reason
 */
export type Get = <T>(
  url: string,
  isBody: (body: unknown) => body is T,
  options: RequestOptions,
  further?: Record<string, string>,
) => Promise<Answer<T>>;

/** Creates the function that makes the requests of a client. */
export function requests({ token, patienceSeconds, fetch: given }: ClientOptions): Get {
  const ask: typeof fetch = given ?? ((...args) => fetch(...args));
  const headers = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  let hasAnswered = false;

  async function attempt<T>(url: string, isBody: (body: unknown) => body is T, init: RequestInit): Promise<Answer<T>> {
    const response = await ask(url, init);
    hasAnswered = true;
    if (!response.ok) throw await SendgateError.from(response);
    const body = await jsonOf(response);
    if (!isBody(body)) throw new SendgateError(response.status, undefined);
    return { body, headers: response.headers };
  }

  function isTransient(error: unknown, attempts: number): boolean {
    if (error instanceof SendgateError) return transient.has(error.status) && !lasting.has(error.code);
    // A failed connection is a TypeError (Fetch Standard, "HTTP-network fetch"), maybe that of another realm.
    return Object(error).name === 'TypeError' && (hasAnswered || attempts < maxFirstConnections);
  }

  return async (url, isBody, { signal }, further) => {
    // Without the token, which an error of `fetch` contains.
    if (!tokenPattern.test(token ?? '')) throw new TypeError('token has a character that no header can have');
    const init = { headers: { ...headers, ...further }, ...(signal ? { signal } : {}) };
    const patience = new Patience(patienceSeconds);
    for (let attempts = 1; ; attempts++) {
      signal?.throwIfAborted();
      try {
        return await attempt(url, isBody, init);
      } catch (error) {
        signal?.throwIfAborted();
        if (!isTransient(error, attempts) || !(await patience.pause(signal, retryAfterOf(error)))) throw error;
      }
    }
  };
}

const retryAfterOf = (error: unknown) => (error instanceof SendgateError ? error.retryAfterSeconds : undefined);

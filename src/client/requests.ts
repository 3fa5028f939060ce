/**
 * Requests to Sendgate, which are retried while an error is transient.
 */
import { type ProblemCode, SendgateError } from './errors.ts';
import { Patience } from './patience.ts';

export interface ClientOptions {
  /** Sendgate's address, with its base path if it has one. Pages of the same origin can omit the origin. */
  readonly baseUrl: string;
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

/** Attempts to connect. */
const maxConnections = 3;
/** Statuses of transient errors. */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Problems that last until a person acts or the day ends, whatever their status. */
const lasting: ReadonlySet<ProblemCode | 'unreadable'> = new Set([
  'upstream-credentials-refused',
  'upstream-gone',
  'upstream-quota-exhausted',
]);

interface Attempt {
  readonly response?: Response;
  /** Undefined if there is a response. */
  readonly failure?: Error;
}

/**
 * Gets `url`, and retries transient errors until a response arrives or patience ends.
 *
 * @param further request headers
 * @throws SendgateError; TypeError when Sendgate is unreachable; the signal's reason
 */
export type Get = (url: string, options: RequestOptions, further?: Record<string, string>) => Promise<Response>;

/** Creates the function that makes the requests of a client. */
export function requests({ token, patienceSeconds, fetch: given }: ClientOptions): Get {
  const ask: typeof fetch = given ?? ((...args) => fetch(...args));
  const headers = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };

  /** @throws the signal's reason, and errors that no retry can fix */
  async function attempt(url: string, init: RequestInit): Promise<Attempt> {
    init.signal?.throwIfAborted();
    try {
      const response = await ask(url, init);
      return response.ok ? { response } : { failure: await SendgateError.from(response) };
    } catch (error) {
      init.signal?.throwIfAborted();
      // A failed connection is a TypeError (Fetch Standard, "HTTP-network fetch"). So is an invalid address, which keeps failing.
      if (!(error instanceof Error) || error.name !== 'TypeError') throw error;
      return { failure: error };
    }
  }

  return async (url, { signal }, further) => {
    const init = { headers: { ...headers, ...further }, ...(signal ? { signal } : {}) };
    const patience = new Patience(patienceSeconds);
    for (let connectionsLeft = maxConnections; ; ) {
      const { response, failure } = await attempt(url, init);
      if (response) return response;
      const isLast = failure instanceof SendgateError ? !isTransient(failure) : --connectionsLeft === 0;
      if (isLast || !(await patience.pause(signal, retryAfterOf(failure)))) throw failure;
    }
  };
}

const isTransient = ({ status, code }: SendgateError) => transient.has(status) && !lasting.has(code);

const retryAfterOf = (failure: Error | undefined) =>
  failure instanceof SendgateError ? (failure.retryAfterSeconds ?? 0) : 0;

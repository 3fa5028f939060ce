/**
 * Requests to Sendgate, which are retried while an error is transient.
 */
import { type ProblemCode, SendgateError } from './errors.ts';

export interface ClientOptions {
  /** Sendgate's address, with its base path if it has one. Pages of the same origin can omit the origin. */
  readonly baseUrl: string;
  /** Your team's token, if operators issued one. */
  readonly token?: string;
  /** How long to retry one request, in seconds; 120 by default, 0 for a single attempt. */
  readonly patienceSeconds?: number;
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof fetch;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

const defaultPatienceSeconds = 120;
/** Attempts to connect. */
const maxConnections = 3;
const firstPauseSeconds = 1;
const longestPauseSeconds = 15;
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
 * @param extra request headers besides the usual ones
 * @throws SendgateError, TypeError when Sendgate is unreachable, or the signal's reason
 */
export type Get = (url: string, options: RequestOptions, extra?: Record<string, string>) => Promise<Response>;

export function requests({ token, patienceSeconds, fetch: own }: ClientOptions): Get {
  const patienceMs = (patienceSeconds ?? defaultPatienceSeconds) * 1000;
  const ask: typeof fetch = own ?? ((...args) => fetch(...args));
  const usual = {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };

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

  return async (url, { signal }, extra) => {
    const init = { headers: { ...usual, ...extra }, ...(signal ? { signal } : {}) };
    const giveUpAt = performance.now() + patienceMs;
    let connectionsLeft = maxConnections;
    for (let pauseSeconds = firstPauseSeconds; ; pauseSeconds = Math.min(pauseSeconds * 2, longestPauseSeconds)) {
      const { response, failure } = await attempt(url, init);
      if (response) return response;
      const isLast = failure instanceof SendgateError ? !isTransient(failure) : --connectionsLeft === 0;
      const seconds = Math.max(pauseSeconds, retryAfterOf(failure));
      if (isLast || performance.now() + seconds * 1000 > giveUpAt) throw failure;
      await pause(seconds * 1000, signal);
    }
  };
}

const isTransient = ({ status, code }: SendgateError) => transient.has(status) && !lasting.has(code);

const retryAfterOf = (failure: Error | undefined) =>
  failure instanceof SendgateError ? (failure.retryAfterSeconds ?? 0) : 0;

/** @throws the signal's reason */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    }, ms);
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}

/**
 * A client for Sendgate in browsers and Node. Needs only `fetch`.
 *
 *     const { sends } = createClient({ baseUrl: 'https://sendgate.example.com' });
 *     for await (const send of sends('1100394165287', { createdSince: '2026-01-01' })) console.log(send.email_address);
 */
import type { Problem, Send, SendsPage, Status, Summary } from './api.ts';

export type { Problem, Send, SendsPage, Status, Summary } from './api.ts';

export interface ClientOptions {
  /** Sendgate's address, with its base path if it has one. Pages of the same origin can omit the origin. */
  readonly baseUrl: string;
  /** Your team's token, if operators issued one. */
  readonly token?: string;
  /** How long to retry one page, in seconds; 120 by default, 0 for a single attempt. */
  readonly patienceSeconds?: number;
  /** Replaces the global `fetch`. */
  readonly fetch?: typeof fetch;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface SendsOptions extends RequestOptions {
  /** Only sends on or after this instant. A text is an ISO-8601 date, or a date-time with `Z` or an offset. */
  readonly createdSince?: Date | string;
}

export interface PagesOptions extends SendsOptions {
  /** Sends a page, 1–500; 500 by default. */
  readonly limit?: number;
  /** The `next` of a page, to continue after it. */
  readonly from?: string;
}

/** A page and its headers. */
export interface ReceivedPage {
  readonly sends: readonly Send[];
  /** Whether Sendgate's cache answered (RFC 9211), e.g. `sendgate; hit; ttl=41`. */
  readonly cacheStatus: string;
  /** Seconds since the page was fetched from Constant Contact. */
  readonly ageSeconds: number;
  /** The address of this page, and of the next one; undefined on the last page. */
  readonly url: string;
  readonly next: string | undefined;
}

export interface Client {
  /**
   * All sends of a campaign, newest first, each once.
   *
   * @throws SendgateError when Sendgate refuses, or its errors outlast `patienceSeconds`; TypeError when it is unreachable; the
   * signal's reason when aborted
   */
  sends(campaign: string, options?: SendsOptions): AsyncGenerator<Send, void, undefined>;
  /** All sends, page by page. If new sends arrive meanwhile, a page can repeat rows of an earlier one. */
  pages(campaign: string, options?: PagesOptions): AsyncGenerator<ReceivedPage, void, undefined>;
  /** The number of sends of a campaign. */
  summary(campaign: string, options?: RequestOptions): Promise<Summary>;
  /** The current state of Sendgate: quota, teams and queues. */
  status(options?: RequestOptions): Promise<Status>;
}

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
/** Recent pages kept to drop repeated sends. */
const maxRememberedPages = 20;

interface Attempt {
  readonly response?: Response;
  /** Undefined if there is a response. */
  readonly failure?: Error;
}

/** Creates a client for the Sendgate at `baseUrl`. It holds no state but its options. */
export function createClient(options: ClientOptions): Client {
  const base = options.baseUrl.replace(/\/+$/, '');
  const patienceMs = (options.patienceSeconds ?? defaultPatienceSeconds) * 1000;
  const ask: typeof fetch = options.fetch ?? ((...args) => fetch(...args));
  const headers = {
    accept: 'application/json',
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  };
  const urlOf = (path: string) => new URL(base + path, globalThis.location?.href).href;

  /** Retries transient errors until a response arrives or patience ends. */
  async function get(url: string, { signal }: RequestOptions): Promise<Response> {
    const giveUpAt = performance.now() + patienceMs;
    let connectionsLeft = maxConnections;
    for (let pauseSeconds = firstPauseSeconds; ; pauseSeconds = Math.min(pauseSeconds * 2, longestPauseSeconds)) {
      const { response, failure } = await attempt(url, signal);
      if (response) return response;
      const isLast = failure instanceof SendgateError ? !isTransient(failure) : --connectionsLeft === 0;
      const seconds = Math.max(pauseSeconds, retryAfterOf(failure));
      if (isLast || performance.now() + seconds * 1000 > giveUpAt) throw failure;
      await pause(seconds * 1000, signal);
    }
  }

  /** @throws the signal's reason, and errors that no retry can fix */
  async function attempt(url: string, signal: AbortSignal | undefined): Promise<Attempt> {
    signal?.throwIfAborted();
    try {
      const response = await ask(url, { headers, ...(signal ? { signal } : {}) });
      return response.ok ? { response } : { failure: await SendgateError.from(response) };
    } catch (error) {
      signal?.throwIfAborted();
      // A failed connection is a TypeError (Fetch Standard, "HTTP-network fetch"). So is an invalid address, which keeps failing.
      if (!(error instanceof Error) || error.name !== 'TypeError') throw error;
      return { failure: error };
    }
  }

  async function getJson<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return (await (await get(urlOf(path), options)).json()) as T;
  }

  async function getPage(url: string, options: RequestOptions): Promise<ReceivedPage> {
    const answer = await get(url, options);
    const { meta, results } = (await answer.json()) as SendsPage;
    const next = meta.pagination.next_link;
    return {
      sends: results,
      cacheStatus: answer.headers.get('cache-status') ?? '',
      ageSeconds: Number(answer.headers.get('age') ?? 0),
      url,
      next: next === undefined ? undefined : new URL(next, url).href,
    };
  }

  async function* pages(campaign: string, options: PagesOptions = {}): AsyncGenerator<ReceivedPage, void, undefined> {
    const { createdSince, limit, from } = options;
    const query = new URLSearchParams();
    if (createdSince !== undefined) {
      query.set('created_since', typeof createdSince === 'string' ? createdSince : createdSince.toISOString());
    }
    if (limit !== undefined) query.set('limit', String(limit));
    const search = query.size === 0 ? '' : `?${query}`;
    let url: string | undefined = from ?? urlOf(`/campaigns/${encodeURIComponent(campaign)}/sends${search}`);
    while (url !== undefined) {
      const page: ReceivedPage = await getPage(url, options);
      yield page;
      url = page.next;
    }
  }

  async function* sends(campaign: string, options: SendsOptions = {}): AsyncGenerator<Send, void, undefined> {
    const recent: Set<string>[] = [];
    for await (const page of pages(campaign, options)) {
      const fresh = page.sends.filter((send) => !recent.some((earlier) => earlier.has(identity(send))));
      recent.push(new Set(fresh.map(identity)));
      if (recent.length > maxRememberedPages) recent.shift();
      yield* fresh;
    }
  }

  return {
    sends,
    pages,
    summary: (campaign, options) => getJson(`/campaigns/${encodeURIComponent(campaign)}/summary`, options),
    status: (options) => getJson('/status', options),
  };
}

/** The whole send: without a contact, the other fields distinguish it. */
const identity = (send: Send) => JSON.stringify(send);

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

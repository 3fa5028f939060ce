/**
 * A client for Sendgate, for browsers and Node: `fetch`, and nothing else.
 *
 *     const { sends } = createClient({ baseUrl: 'https://sendgate.example.com' });
 *     for await (const send of sends('1100394165287', { createdSince: '2026-01-01' })) console.log(send.email_address);
 */
import type { Problem, Send, SendsPage, Status, Summary } from './api.ts';

export type { Problem, Send, SendsPage, Status, Summary } from './api.ts';

export interface ClientOptions {
  /** Where Sendgate is, with its base path if it has one; a browser's own page may leave the origin out. */
  readonly baseUrl: string;
  /** Your team's token, where Sendgate asks for one. */
  readonly token?: string;
  /** The longest time that one page is waited for and asked for again, in seconds; 120 without it. */
  readonly patienceSeconds?: number;
  /** Instead of the global one. */
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
  /** Sends a page, 1–500. */
  readonly limit?: number;
  /** The `next` of a page, to go on behind it. */
  readonly from?: string;
}

/** A page, and what its headers say of it. */
export interface ReceivedPage {
  readonly sends: readonly Send[];
  /** Whether Sendgate's cache answered (RFC 9211), e.g. `sendgate; hit; ttl=41`. */
  readonly cacheStatus: string;
  /** Seconds since Constant Contact was asked. */
  readonly ageSeconds: number;
  /** Where the page is, and where the one behind it is. */
  readonly url: string;
  readonly next: string | undefined;
}

export interface Client {
  /**
   * All sends of a campaign, newest first, each once.
   *
   * @throws SendgateError when Sendgate has no answer; the signal's reason when it is aborted
   */
  sends(campaign: string, options?: SendsOptions): AsyncGenerator<Send, void, undefined>;
  /** The same page by page. New sends that arrive on the way can make a page repeat what was on the one before. */
  pages(campaign: string, options?: PagesOptions): AsyncGenerator<ReceivedPage, void, undefined>;
  /** How many sends a campaign has. */
  summary(campaign: string, options?: RequestOptions): Promise<Summary>;
  /** What goes on in Sendgate right now. */
  status(options?: RequestOptions): Promise<Status>;
}

/** The last part of a problem's `type`. */
export type ProblemCode = Problem['type'] extends `/problems/${infer Code}` ? Code : never;

/** An answer that is an error. Switch on `code`, e.g. `campaign-not-found`. */
export class SendgateError extends Error {
  override readonly name = 'SendgateError';
  /** `unreadable` where the answer is not Sendgate's. */
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

  /** Reads an answer that is an error. */
  static async from(answer: Response): Promise<SendgateError> {
    const isProblem = answer.headers.get('content-type')?.startsWith('application/problem+json') ?? false;
    const problem = isProblem ? ((await answer.json()) as Problem) : undefined;
    // Sendgate tells seconds; a date is from a proxy in front of it.
    const seconds = /^\d{1,6}$/.exec(answer.headers.get('retry-after') ?? '')?.[0];
    return new SendgateError(answer.status, problem, seconds === undefined ? undefined : Number(seconds));
  }
}

const defaultPatienceSeconds = 120;
/** Tries of a connection that fails. */
const maxConnections = 3;
const firstPauseSeconds = 1;
const mostPauseSeconds = 15;
/** Answers after which the same question may be answered. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Problems that a person has to end, whatever their status. */
const lasting: ReadonlySet<ProblemCode | 'unreadable'> = new Set([
  'upstream-credentials-refused',
  'upstream-gone',
  'upstream-quota-exhausted',
]);
/** Pages whose sends are remembered, so that none is told twice. */
const maxRememberedPages = 20;

export function createClient(options: ClientOptions): Client {
  const base = options.baseUrl.replace(/\/+$/, '');
  const patienceMs = (options.patienceSeconds ?? defaultPatienceSeconds) * 1000;
  const ask: typeof fetch = options.fetch ?? ((...args) => fetch(...args));
  const headers = {
    accept: 'application/json',
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
  };
  const urlOf = (path: string) => new URL(base + path, globalThis.location?.href).href;

  /** Asks until there is an answer, as long as patience lasts. */
  async function get(url: string, { signal }: RequestOptions): Promise<Response> {
    const giveUpAt = performance.now() + patienceMs;
    let connectionsLeft = maxConnections;
    for (let pauseSeconds = firstPauseSeconds; ; pauseSeconds = Math.min(pauseSeconds * 2, mostPauseSeconds)) {
      signal?.throwIfAborted();
      let failure: unknown;
      try {
        const answer = await ask(url, { headers, ...(signal ? { signal } : {}) });
        if (answer.ok) return answer;
        failure = await SendgateError.from(answer);
      } catch (error) {
        signal?.throwIfAborted();
        // A failed connection is a TypeError (Fetch Standard), and may pass too; but a wrong address does not.
        if ((error as Error).name !== 'TypeError' || --connectionsLeft === 0) throw error;
        failure = error;
      }
      if (failure instanceof SendgateError && !mayPass(failure)) throw failure;
      const told = failure instanceof SendgateError ? (failure.retryAfterSeconds ?? 0) : 0;
      const seconds = Math.max(told, pauseSeconds);
      if (performance.now() + seconds * 1000 > giveUpAt) throw failure;
      await pause(seconds * 1000, signal);
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
    const told: Set<string>[] = [];
    for await (const page of pages(campaign, options)) {
      const news = page.sends.filter((send) => !told.some((earlier) => earlier.has(identity(send))));
      told.push(new Set(news.map(identity)));
      if (told.length > maxRememberedPages) told.shift();
      yield* news;
    }
  }

  return {
    sends,
    pages,
    summary: (campaign, options) => getJson(`/campaigns/${encodeURIComponent(campaign)}/sends/summary`, options),
    status: (options) => getJson('/status', options),
  };
}

/** All of a send: where its contact is not known, the rest tells it from others. */
const identity = (send: Send) => JSON.stringify(send);

const mayPass = ({ status, code }: SendgateError) => passing.has(status) && !lasting.has(code);

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

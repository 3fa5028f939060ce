/**
 * A Constant Contact to run against, no kinder than the real one: for the demo, the tests and the benchmarks.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type Clock, systemClock } from '../clock.ts';
import { listen } from '../server.ts';
import { Campaign, type CampaignOptions } from './campaign.ts';
import { type Fault, strike } from './fault.ts';
import { type SandboxAnswer, v2Error, v2Sends } from './v2.ts';

export interface SandboxOptions {
  readonly apiKey: string;
  /** Without it, no token is asked for. */
  readonly accessToken?: string;
  /** The account's limits; without them every call is taken. */
  readonly limits?: { readonly perSecond: number; readonly perDay: number };
  readonly host?: string;
  readonly port?: number;
  readonly clock?: Clock;
}

/** A call, as it arrived. */
export interface SandboxCall {
  readonly atMs: number;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  /** Undefined when a fault kept it from being answered. */
  status?: number;
}

/** Calls that are remembered; all are counted. */
const maxCalls = 20_000;
const pathPattern = /^\/v2\/emailmarketing\/campaigns\/(\d+)\/tracking\/sends$/;
const dayMs = 86_400_000;

/** The campaign of the vendor's documentation: its example answer, cursor included. */
export const documentedCampaign: CampaignOptions = {
  id: '1100394165287',
  size: 3,
  newestMs: Date.parse('2012-12-06T13:06:14.762Z'),
  pageSize: 2,
  known: [
    { contactId: '21', email: 'abc@example.com', at: '2012-12-06T13:06:14.762Z' },
    { contactId: '20', email: 'def@example.com', at: '2012-12-06T13:06:14.754Z' },
  ],
};

export class Sandbox {
  /** The newest calls, oldest first. */
  readonly calls: SandboxCall[] = [];
  /** All calls since the start or the last `forget`. */
  callCount = 0;
  /** Answers that told of a limit. */
  limitAnswers = 0;
  url = '';
  readonly #options: SandboxOptions;
  readonly #clock: Clock;
  readonly #server: http.Server;
  readonly #campaigns = new Map<string, Campaign>();
  #faults: { readonly fault: Fault; seen: number; struck: number }[] = [];
  readonly #arrivals: number[] = [];
  #day = { index: 0, calls: 0 };

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
      this.#answer(req, res).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
    });
  }

  async start(): Promise<this> {
    this.url = await listen(this.#server, this.#options.host ?? '127.0.0.1', this.#options.port ?? 0);
    return this;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  campaign(options: CampaignOptions): Campaign {
    const campaign = new Campaign(options);
    this.#campaigns.set(options.id, campaign);
    return campaign;
  }

  /** Sends that arrive while it runs. */
  addSends(id: string, count: number): void {
    this.#campaigns.get(id)?.add(count, this.#clock.now());
  }

  fault(fault: Fault): void {
    this.#faults.push({ fault, seen: 0, struck: 0 });
  }

  heal(): void {
    this.#faults = [];
  }

  forget(): void {
    this.calls.length = 0;
    this.callCount = 0;
    this.limitAnswers = 0;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    if (url.pathname === '/_sandbox') return this.#control(req, res);
    const call = this.#record(req, url);
    res.once('finish', () => {
      call.status = res.statusCode;
    });

    const refusal = this.#overLimit() ?? this.#unauthorized(req, url);
    const id = pathPattern.exec(url.pathname)?.[1];
    if (!refusal) {
      for (const fault of this.#striking(id)) if (await strike(fault, req, res)) return;
    }
    const answer = refusal ?? this.#sends(req, url, id);
    if (answer.status === 403) this.limitAnswers++;
    send(req, res, answer);
  }

  #sends(req: IncomingMessage, url: URL, id: string | undefined): SandboxAnswer {
    const accept = req.headers.accept ?? '*/*';
    if (!/application\/json|\*\/\*/.test(accept)) return v2Error(406, 'http.status.not_acceptable', 'JSON only.');
    if (id === undefined) return v2Error(404, 'http.status.not_found', 'There is no such resource.');
    return v2Sends(this.#campaigns.get(id), url.pathname, url.searchParams);
  }

  #record(req: IncomingMessage, url: URL): SandboxCall {
    const call: SandboxCall = {
      atMs: this.#clock.now(),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: req.headers,
    };
    this.callCount++;
    this.calls.push(call);
    if (this.calls.length > maxCalls) this.calls.shift();
    return call;
  }

  /** A call over a limit counts like any other: who keeps calling stays over it. */
  #overLimit(): SandboxAnswer | undefined {
    const { limits } = this.#options;
    if (!limits) return undefined;
    const now = this.#clock.now();
    const day = Math.floor(now / dayMs);
    if (this.#day.index !== day) this.#day = { index: day, calls: 0 };
    this.#day.calls++;
    this.#arrivals.push(now);
    while ((this.#arrivals[0] ?? now) <= now - 1000) this.#arrivals.shift();
    if (this.#day.calls > limits.perDay) {
      return v2Error(403, 'mashery.not.authorized.over.ratelimit', 'over its rate limit quota');
    }
    if (this.#arrivals.length > limits.perSecond) {
      return v2Error(403, 'mashery.not.authorized.over.qps', 'over its queries-per-second quota');
    }
    return undefined;
  }

  #unauthorized(req: IncomingMessage, url: URL): SandboxAnswer | undefined {
    const { apiKey, accessToken } = this.#options;
    const tokenGood = accessToken === undefined || req.headers.authorization === `Bearer ${accessToken}`;
    if (url.searchParams.get('api_key') === apiKey && tokenGood) return undefined;
    return v2Error(401, 'http.status.authentication.invalid_token', `The key or token is not valid: ${url.search}`);
  }

  /** The faults that strike a call for this campaign. */
  *#striking(id: string | undefined): Generator<Fault> {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if (fault.campaign !== undefined && fault.campaign !== id) continue;
      if (entry.struck >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      entry.seen++;
      if (entry.seen % (fault.every ?? 1) !== 0) continue;
      entry.struck++;
      yield fault;
    }
  }

  /** For another process: `GET` tells the counts; `POST` takes `{ campaign?, add?, fault?, heal?, forget? }`. */
  async #control(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of req) text += part;
    const order = text === '' ? {} : JSON.parse(text);
    if (order.heal) this.heal();
    if (order.forget) this.forget();
    if (order.campaign) this.campaign(order.campaign);
    if (order.add) this.addSends(order.add.campaign, order.add.count);
    if (order.fault) this.fault(order.fault);
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ callCount: this.callCount, limitAnswers: this.limitAnswers }));
  }
}

function send(req: IncomingMessage, res: ServerResponse, { status, body }: SandboxAnswer): void {
  const zipped = /\bgzip\b/.test(String(req.headers['accept-encoding'] ?? '')) && body.length > 1024;
  res.writeHead(status, { 'Content-Type': 'application/json', ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) });
  res.end(zipped ? gzipSync(body, { level: 1 }) : body);
}

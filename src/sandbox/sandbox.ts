/**
 * A Constant Contact to run against, no kinder than the real one: for the demo, the tests and the benchmarks.
 */
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Clock, systemClock } from '../clock.ts';
import { listen } from '../http/server.ts';
import { Campaign, type CampaignOptions } from './campaign.ts';
import { type Fault, forbidden, strike } from './fault.ts';
import type { LimitShape } from './limit-shapes.ts';
import { SandboxOAuth, type SandboxOAuthOptions } from './oauth.ts';
import { type SandboxAnswer, v2Campaigns, v2Errors, v2Sends, v2Summary } from './v2.ts';
import { activityIdOf, campaignIdOf, v3Denied, v3Errors, v3Privileges, v3Sends, v3Xrefs } from './v3.ts';
import { hasGoneOut, hasReports, v3Activity, v3Campaign, v3Stats } from './v3-emails.ts';

export interface SandboxOptions {
  /** v2's. */
  readonly apiKey?: string;
  /** v2's; without it, or with an empty one, no token is asked for. */
  readonly accessToken?: string;
  /** v3's; without it, v3 takes no call. */
  readonly oauth?: SandboxOAuthOptions;
  /**
   * What v3's tracking reports answer for a well-formed id of nothing: that is not known. 404 without it.
   */
  readonly unknownActivities?: 'not-found' | 'empty';
  /** The account's limits; without them every call is taken. */
  readonly limits?: { readonly perSecond: number; readonly perDay: number };
  /** How calls over them are answered; as JSON without it. */
  readonly limitsAs?: LimitShape;
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
  /** `x-amzn-requestid` of its answer. */
  readonly requestId: string;
  /** Undefined when a fault kept it from being answered. */
  status?: number;
}

/** Calls that are remembered; all are counted. */
const maxCalls = 20_000;
const v2Path = /^\/v2\/emailmarketing\/campaigns\/(\d+)\/tracking\/(sends|reports\/summary)$/;
const v3Path =
  /^\/v3\/(?:reports\/(?:email_reports|stats\/email_campaign_activities)|emails\/activities)\/([0-9a-f-]{36})(\/tracking\/sends)?$/;
const v3StatsPath = /^\/v3\/reports\/stats\/email_campaign_activities\/([^/]+)$/;
const v3CampaignPath = /^\/v3\/emails\/([0-9a-f-]{36})$/;
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
  /** The same of calls for tokens. */
  tokenCallCount = 0;
  tokenCallsRunning = 0;
  /** Answers for calls over a limit. */
  limitAnswers = 0;
  url = '';
  /** v3's, of the user who authorized Sendgate: some of those that an account's owner has. */
  privileges: readonly string[] = ['ui:campaign:metrics', 'contacts:contact:read'];
  readonly oauth: SandboxOAuth | undefined;
  readonly #options: SandboxOptions;
  readonly #clock: Clock;
  readonly #server: http.Server;
  readonly #campaigns = new Map<string, Campaign>();
  /** v2 ids by campaign activity id, and by campaign id. */
  readonly #byUuid = new Map<string, string>();
  #faults: { readonly fault: Fault; seen: number; struck: number }[] = [];
  readonly #arrivals: number[] = [];
  #day = { index: 0, calls: 0 };

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.oauth = options.oauth && new SandboxOAuth(options.oauth, this.#clock);
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
    this.#byUuid.set(activityIdOf(options.id), options.id);
    if (options.resendOf === undefined) this.#byUuid.set(campaignIdOf(options.id), options.id);
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
    this.tokenCallCount = 0;
    this.limitAnswers = 0;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    const text = await textOf(req);
    if (url.pathname === '/_sandbox') return this.#control(res, text);
    if (this.oauth && url.pathname.startsWith('/oauth2/')) return this.#authorize(req, res, url, text, this.oauth);
    const call = this.#record(req, url);
    res.once('finish', () => {
      call.status = res.statusCode;
    });

    const isV3 = url.pathname.startsWith('/v3/');
    const style = isV3 ? v3Errors : v2Errors;
    const limit = this.#overLimit();
    if (limit) this.limitAnswers++;
    // Ids of the call, of which support asks for either.
    res.setHeader('x-amzn-requestid', call.requestId);
    res.setHeader('x-eig-tracking-id', randomUUID());
    const over = limit && style.over(limit, this.#options.limitsAs ?? 'json');
    const refusal = over ?? (isV3 ? this.#unauthorizedV3(req) : this.#unauthorizedV2(req, url));
    const id = this.#campaignOf(url.pathname);
    if (!refusal) {
      for (const fault of this.#striking('api', id, call)) if (await strike(fault, style, req, res, text)) return;
    }
    const accept = req.headers.accept ?? '*/*';
    if (refusal) send(req, res, refusal);
    else if (!/application\/json|\*\/\*/.test(accept))
      send(req, res, style.error(406, 'http.status.not_acceptable', 'JSON only.'));
    else send(req, res, this.#resource(url, id) ?? (isV3 ? forbidden : noSuchResource));
  }

  #resource(url: URL, id: string | undefined): SandboxAnswer | undefined {
    const { pathname, searchParams } = url;
    const campaign = this.#campaigns.get(id ?? '');
    if (v2Path.test(pathname)) {
      return pathname.endsWith('/summary') ? v2Summary(campaign, searchParams) : v2Sends(campaign, url);
    }
    if (pathname === '/v2/emailmarketing/campaigns') return v2Campaigns([...this.#campaigns.values()], searchParams);
    if (pathname === '/v3/account/user/privileges') return v3Privileges(this.privileges);
    if (pathname.startsWith('/v3/reports/') && !this.privileges.includes('ui:campaign:metrics')) return v3Denied;
    const [, statsIds] = v3StatsPath.exec(pathname) ?? [];
    if (statsIds !== undefined) return v3Stats((one) => this.#activity(one), statsIds);
    const [, campaignId] = v3CampaignPath.exec(pathname) ?? [];
    if (campaignId !== undefined) return v3Campaign(this.#campaigns, campaignId);
    const [, activityId = '', report] = v3Path.exec(pathname) ?? [];
    const activity = this.#activity(activityId);
    if (report !== undefined) {
      const reported = activity && hasReports(activity) ? activity : undefined;
      const isEmpty = reported ? !hasGoneOut(reported) : this.#options.unknownActivities === 'empty';
      return isEmpty ? emptyReport : v3Sends(reported, url);
    }
    if (activityId !== '') return v3Activity(activity, activityId);
    return pathname === '/v3/emails/campaign_id_xrefs' ? v3Xrefs(this.#campaigns, searchParams) : undefined;
  }

  /** The v2 id of the campaign that a path means. */
  #campaignOf(pathname: string): string | undefined {
    const uuid = (v3Path.exec(pathname) ?? v3CampaignPath.exec(pathname))?.[1];
    return uuid === undefined ? v2Path.exec(pathname)?.[1] : this.#byUuid.get(uuid);
  }

  #activity(activityId: string): Campaign | undefined {
    const id = this.#byUuid.get(activityId);
    return id !== undefined && activityIdOf(id) === activityId ? this.#campaigns.get(id) : undefined;
  }

  async #authorize(req: IncomingMessage, res: ServerResponse, url: URL, text: string, oauth: SandboxOAuth) {
    this.tokenCallCount++;
    this.tokenCallsRunning++;
    res.once('close', () => this.tokenCallsRunning--);
    for (const fault of this.#striking('token', undefined, { path: url.pathname, query: {} }))
      if (await strike(fault, v3Errors, req, res, text)) return;
    const limited = this.#options.limits !== undefined;
    const { status, body, headers, ends } = oauth.answer(url.pathname, req.headers.authorization, text, limited);
    await delay(this.#options.oauth?.delayMs ?? 0);
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    if (!ends) res.end(body);
    else res.write(body.slice(0, -10), () => ends === 'cut' && req.socket.destroy());
  }

  #record(req: IncomingMessage, url: URL): SandboxCall {
    const call: SandboxCall = {
      atMs: this.#clock.now(),
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: req.headers,
      requestId: randomUUID(),
    };
    this.callCount++;
    this.calls.push(call);
    if (this.calls.length > maxCalls) this.calls.shift();
    return call;
  }

  /** A call over a limit counts like any other: who keeps calling stays over it. */
  #overLimit(): 'second' | 'day' | undefined {
    const { limits } = this.#options;
    if (!limits) return undefined;
    const now = this.#clock.now();
    const day = Math.floor(now / dayMs);
    if (this.#day.index !== day) this.#day = { index: day, calls: 0 };
    this.#day.calls++;
    this.#arrivals.push(now);
    while ((this.#arrivals[0] ?? now) <= now - 1000) this.#arrivals.shift();
    if (this.#day.calls > limits.perDay) return 'day';
    return this.#arrivals.length > limits.perSecond ? 'second' : undefined;
  }

  #unauthorizedV2(req: IncomingMessage, url: URL): SandboxAnswer | undefined {
    const { apiKey, accessToken } = this.#options;
    const tokenGood = !accessToken || req.headers.authorization === `Bearer ${accessToken}`;
    if (url.searchParams.get('api_key') === apiKey && tokenGood) return undefined;
    const message = `The key or token is not valid: ${url.search}`;
    return v2Errors.error(401, 'http.status.authentication.invalid_token', message);
  }

  #unauthorizedV3(req: IncomingMessage): SandboxAnswer | undefined {
    const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '';
    if (this.oauth?.takes(token)) return undefined;
    return v3Errors.error(401, 'unauthorized', `The token is not valid: ${token}`);
  }

  /** The faults that strike a call. */
  *#striking(
    target: 'api' | 'token',
    id: string | undefined,
    { path, query }: Pick<SandboxCall, 'path' | 'query'>,
  ): Generator<Fault> {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if ((fault.target ?? 'api') !== target) continue;
      if (fault.campaign !== undefined && fault.campaign !== id) continue;
      if (fault.path !== undefined && !path.includes(fault.path)) continue;
      if (!Object.entries(fault.query ?? {}).every(([name, text]) => query[name]?.includes(text))) continue;
      if (entry.struck >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      entry.seen++;
      if (entry.seen % (fault.every ?? 1) !== 0) continue;
      entry.struck++;
      yield fault;
    }
  }

  /**
   * For another process: `GET` tells the counts; `POST` takes
   * `{ campaign?, add?, fault?, heal?, forget?, expire?, revoke?, device?, tokens?, privileges? }`.
   */
  #control(res: ServerResponse, text: string): void {
    const order = text === '' ? {} : JSON.parse(text);
    if (order.expire) this.oauth?.expire();
    if (order.revoke) this.oauth?.revoke();
    if (order.device) this.oauth?.decide(order.device);
    if (order.tokens) this.oauth?.shape(order.tokens);
    if (order.privileges) this.privileges = order.privileges;
    if (order.heal) this.heal();
    if (order.forget) this.forget();
    if (order.campaign) this.campaign(order.campaign);
    if (order.add) this.addSends(order.add.campaign, order.add.count);
    if (order.fault) this.fault(order.fault);
    const { callCount, tokenCallCount, limitAnswers } = this;
    res.writeHead(200, { 'Content-Type': 'application/json' });
    res.end(JSON.stringify({ callCount, tokenCallCount, limitAnswers }));
  }
}

const noSuchResource = v2Errors.error(404, 'http.status.not_found', 'No such resource.');
const emptyReport: SandboxAnswer = { status: 200, body: JSON.stringify({ tracking_activities: [] }) };

async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of req) text += part;
  return text;
}

function send(req: IncomingMessage, res: ServerResponse, answer: SandboxAnswer): void {
  const { status, body, type = 'application/json', headers } = answer;
  const zipped = /\bgzip\b/.test(String(req.headers['accept-encoding'] ?? '')) && body.length > 1024;
  res.writeHead(status, { 'Content-Type': type, ...headers, ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) });
  res.end(zipped ? gzipSync(body, { level: 1 }) : body);
}

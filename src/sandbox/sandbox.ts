/**
 * A simulated Constant Contact, no kinder than the real one: for the demo, the tests and the benchmarks.
 */
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '../clock.ts';
import { listen } from '../http/server.ts';
import { AccountLimits } from './account-limits.ts';
import { ActiveFaults } from './active-faults.ts';
import { type SandboxAnswer, sendAnswer, textOf } from './answer.ts';
import { Campaign, type CampaignOptions } from './campaign.ts';
import type { ChangeableOptions, TrackingReport } from './campaign-options.ts';
import { control } from './control.ts';
import { refuseV2, refuseV3 } from './credentials.ts';
import { Directory } from './directory.ts';
import type { ErrorStyle } from './error-shapes.ts';
import { type Fault, strike } from './fault.ts';
import type { LimitShape } from './limit-shapes.ts';
import { SandboxOAuth, type SandboxOAuthOptions } from './oauth/oauth-server.ts';
import { campaignOfPath, resourceAt } from './resources.ts';
import { v2Errors } from './v2.ts';
import { v3Errors } from './v3.ts';

export interface SandboxOptions {
  /** v2's. */
  readonly apiKey?: string;
  /** v2's access token. Without one, or with an empty one, no token is required. */
  readonly accessToken?: string;
  /** v3's OAuth. Without it, v3 refuses every call. */
  readonly oauth?: SandboxOAuthOptions;
  /** How v3's tracking reports respond to a well-formed but unused id; the real behaviour is unknown. Default 404. */
  readonly unknownActivities?: 'not-found' | 'empty';
  /** The account's limits. Default none. */
  readonly limits?: { readonly perSecond: number; readonly perDay: number };
  /** Form of refusals over the limits. Default JSON. */
  readonly limitsAs?: LimitShape;
  readonly host?: string;
  readonly port?: number;
  readonly clock?: Clock;
}

/** A received call. */
export interface SandboxCall {
  readonly atMs: number;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  /** `x-amzn-requestid` of its response. */
  readonly requestId: string;
  /** Status of the response; undefined if a fault prevented it. */
  status?: number;
}

/** Most calls remembered; all are counted. */
const maxCalls = 20_000;

/** The campaign in the vendor's documentation: its example response, including the cursor. */
export const documentedCampaign: CampaignOptions = {
  id: '1100394165287',
  size: 3,
  newestMs: Date.parse('2012-12-06T13:06:14.762Z'),
  pageSize: 2,
  known: [
    { contactId: '21', email: 'abc@example.com', at: '2012-12-06T13:06:14.762Z' },
    { contactId: '19', email: 'def@example.com', at: '2012-12-06T13:06:14.653Z' },
  ],
};

export class Sandbox {
  /** The latest calls, oldest first. */
  readonly calls: SandboxCall[] = [];
  /** Number of calls since the start or the last `forget`. */
  callCount = 0;
  /** The same for token requests. */
  tokenCallCount = 0;
  tokenCallsRunning = 0;
  /** Number of responses over a limit. */
  limitAnswers = 0;
  url = '';
  /** v3's privileges of the user who authorized Sendgate: some of an account owner's. */
  privileges: readonly string[] = ['ui:campaign:metrics', 'contacts:contact:read'];
  readonly oauth: SandboxOAuth | undefined;
  readonly #options: SandboxOptions;
  readonly #clock: Clock;
  readonly #limits: AccountLimits | undefined;
  readonly #server: http.Server;
  readonly #directory = new Directory();
  readonly #faults = new ActiveFaults();

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits && new AccountLimits(options.limits, this.#clock);
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

  /** Adds a campaign, or replaces the one with this id. */
  campaign(options: CampaignOptions): Campaign {
    const campaign = new Campaign(options, this.#clock.now());
    this.#directory.add(campaign);
    return campaign;
  }

  /** Adds rows to a report of a campaign, dated now. */
  add(id: string, report: TrackingReport, count: number): void {
    this.#directory.all.get(id)?.report(report).add(count, this.#clock.now());
  }

  addSends(id: string, count: number): void {
    this.add(id, 'sends', count);
  }

  /** Changes a campaign, as a person does in the vendor's editor: its modification date becomes now. */
  update(id: string, changes: Partial<ChangeableOptions>): void {
    this.#directory.all.get(id)?.change({ modifiedMs: this.#clock.now(), ...changes });
  }

  /** Deletes a campaign, as a person does. */
  remove(id: string): void {
    this.update(id, { status: 'REMOVED' });
  }

  fault(fault: Fault): void {
    this.#faults.add(fault);
  }

  /** Removes all faults. */
  heal(): void {
    this.#faults.clear();
  }

  /** Forgets the calls and resets their counts. */
  forget(): void {
    this.calls.length = 0;
    this.callCount = 0;
    this.tokenCallCount = 0;
    this.limitAnswers = 0;
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url ?? '/', 'http://sandbox');
    const text = await textOf(req);
    if (url.pathname === '/_sandbox') sendAnswer(req, res, control(this, text));
    else if (this.oauth && url.pathname.startsWith('/oauth2/')) {
      await this.#answerOAuth(req, res, url, text, this.oauth);
    } else await this.#answerApi(req, res, url, text);
  }

  async #answerApi(req: IncomingMessage, res: ServerResponse, url: URL, text: string): Promise<void> {
    const call = this.#record(req, url);
    res.once('finish', () => {
      call.status = res.statusCode;
    });
    res.setHeader('Date', new Date(this.#clock.now()).toUTCString());
    // Ids of the call; support asks for either.
    res.setHeader('x-amzn-requestid', call.requestId);
    res.setHeader('x-eig-tracking-id', randomUUID());

    const isV3 = url.pathname.startsWith('/v3/');
    const style = isV3 ? v3Errors : v2Errors;
    const refusal =
      this.#refuseOverLimit(style) ?? (isV3 ? refuseV3(this.oauth, req) : refuseV2(this.#options, req, url));
    if (refusal) return sendAnswer(req, res, refusal);
    const { unknownActivities = 'not-found' } = this.#options;
    const world = { directory: this.#directory, privileges: this.privileges, unknownActivities };
    const campaign = campaignOfPath(world, url.pathname);
    for (const fault of this.#faults.striking({ kind: 'api', campaign, path: call.path, query: call.query })) {
      if (await strike(fault, style, req, res, text)) return;
    }
    const isAcceptable = /application\/json|\*\/\*/.test(req.headers.accept ?? '*/*');
    const unacceptable = () => style.error(406, 'http.status.not_acceptable', 'JSON only.');
    sendAnswer(req, res, isAcceptable ? resourceAt(world, url) : unacceptable());
  }

  #refuseOverLimit(style: ErrorStyle): SandboxAnswer | undefined {
    const limit = this.#limits?.count();
    if (!limit) return undefined;
    this.limitAnswers++;
    return style.over(limit, this.#options.limitsAs ?? 'json');
  }

  async #answerOAuth(req: IncomingMessage, res: ServerResponse, url: URL, text: string, oauth: SandboxOAuth) {
    this.tokenCallCount++;
    this.tokenCallsRunning++;
    res.once('close', () => this.tokenCallsRunning--);
    for (const fault of this.#faults.striking({ kind: 'token', path: url.pathname, query: {} })) {
      if (await strike(fault, v3Errors, req, res, text)) return;
    }
    const isLimited = this.#options.limits !== undefined;
    const { status, body, headers, ends } = oauth.answer(url.pathname, req.headers.authorization, text, isLimited);
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
}

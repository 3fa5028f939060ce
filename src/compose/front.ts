/**
 * What callers reach: guards, teams, limits, the resources, and the server under them. Where pages come from is somebody
 * else's business.
 */
import { answersToErrors, createApp } from '../app/application.ts';
import { FastPath } from '../app/fast-path.ts';
import { publicStatus } from '../app/status-endpoint.ts';
import type { PageSource } from '../cache/page-cache.ts';
import { Addresses } from '../callers/address.ts';
import { BrowserGuard } from '../callers/browser-guard.ts';
import { type Caller, Callers } from '../callers/callers.ts';
import { connectionLimits } from '../callers/connection-limits.ts';
import { allowHosts, loopbackHosts } from '../callers/host-guard.ts';
import { type Counting, RateLimit } from '../callers/rate-limit/rate-limit.ts';
import { Teams } from '../callers/teams.ts';
import { type SummarySource, summaryHandler } from '../campaigns/summary.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { chooseWriter } from '../http/choose-writer.ts';
import { headLines } from '../http/header-block.ts';
import { type Exchange, observeExchanges } from '../http/request-context.ts';
import { securityHeaders } from '../http/security-headers.ts';
import { createServer } from '../http/server.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { cursorRules } from '../model/cursor.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { PublicStatus } from '../observability/status.ts';
import { type Tallied, Tally } from '../observability/tally.ts';
import { SendsEndpoint } from '../reports/endpoint.ts';
import { SendsExports } from '../reports/export/endpoint.ts';
import type { ExportPlaces } from '../reports/export/slots.ts';
import { ReadyAnswers } from '../reports/prepared-responses.ts';
import { ReadAhead } from '../reports/read-ahead.ts';
import { RefreshAhead } from '../reports/refresh-ahead.ts';
import { dropInRule, takeCredentials } from '../reports/v2-compat/drop-in-requests.ts';
import { createSite, sitePaths } from '../site/site.ts';

interface FrontParts {
  readonly clock: Clock;
  readonly version: string;
  readonly emit: Emit;
  readonly accessLog: AccessLog;
  readonly pages: PageSource;
  readonly summaries: SummarySource;
  readonly campaignIds: CampaignIdRule;
  /** Whether there is quota for calls that nobody has asked for yet. */
  readonly isAmple: () => boolean;
  /** Of the names that clients have in `RateLimit-Policy`: one for all processes. */
  readonly partitionSalt: string;
  /** What counts the requests of all processes together; undefined where this is the only one. */
  readonly counting: Counting | undefined;
  /** Called with the key of a client that sends requests, once a minute. */
  readonly onSeen: (client: string) => void;
  readonly exportPlaces: ExportPlaces;
  readonly readStatus: () => PublicStatus | Promise<PublicStatus>;
  /** For answers that are ready. */
  readonly answersBytes: number;
}

export interface Front {
  /** All answers that were given. */
  readonly given: readonly Tallied[];
  /** Bytes of what is held to answer with. */
  readonly bytes: number;
  readonly exportsRunning: number;
  /** Processes that answer. */
  readonly processes: number;
  /** Processes that have died, and in whose place others were started. */
  readonly deaths: number;
  /** Resolves with the URL. Rejects when the address cannot be bound. */
  listen(): Promise<string>;
  /** Stops accepting, answers what is in flight, closes what is idle. */
  drain(): Promise<void>;
}

export function buildFront(config: Config, parts: FrontParts): Front {
  const { clock, emit, pages, campaignIds, isAmple } = parts;
  const { basePath } = config.server;
  const addresses = new Addresses(config.server.trustProxy, warnOfIgnored(emit));
  const teams = new Teams(config.teams, config.callers.required, addresses);
  const { partitionSalt, counting, onSeen } = parts;
  const rateLimit = new RateLimit(config.callers, teams.all, clock, partitionSalt, counting, onSeen);
  const isDropIn = config.server.dropInV2 ? dropInRule(basePath) : () => false;
  const callers = new Callers({
    isAllowedHost: allowHosts([...loopbackHosts, ...config.server.allowedHosts]),
    browserGuard: new BrowserGuard(config.callers.cors.origins),
    ...{ addresses, teams, rateLimit },
    isOpen: sitePaths(basePath),
    takeForeignTokens: (req) => (isDropIn(req) ? takeCredentials(req) : undefined),
  });
  // What came with a token is not for a request without it, in a cache that both share (RFC 9111 §4.1).
  const head = `${securityHeaders()}${teams.takeTokens ? headLines('Vary', 'Authorization') : ''}`;
  const answers = new ReadyAnswers(head, parts.answersBytes);
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const isCursor = cursorRules[config.constantContact.api];
  const endpointParts = { pages, answers, readAhead, refreshAhead, addresses, campaignIds, isCursor, clock };
  const sends = new SendsEndpoint(endpointParts);
  const dropIn = config.server.dropInV2 ? new SendsEndpoint(endpointParts, 'v2') : undefined;
  const onUnexpected = (err: unknown, id: string) => emit('service.unexpected_error', { id, err });
  const exports = new SendsExports(
    { pages, campaignIds, clock, onUnexpected, places: parts.exportPlaces },
    config.exports,
  );
  const tally = new Tally();
  const observe = observeExchanges({ log: parts.accessLog, tally, clock, head, writer: chooseWriter(emit) });
  const answerError = answersToErrors({ basePath, isDropIn, onUnexpected });
  const fastPath = new FastPath({ basePath, rateLimit, sends, answerError, onUnexpected });
  const app = createApp({
    basePath,
    rateLimit: rateLimit.middleware,
    site: createSite({ version: parts.version, basePath, campaignIds }),
    sends: sends.handle,
    exports: (name) => exports.handler(name),
    summary: summaryHandler(parts.summaries, campaignIds),
    status: publicStatus(parts.readStatus),
    dropIn: dropIn?.handle,
    answerError,
  });
  const server = createServer<Exchange>(
    app,
    {
      receive: (req, res) => {
        callers.receive(req);
        return observe(req, res);
      },
      answer: (req, res, exchange) =>
        exchange.trace.run(() => {
          let caller: Caller | undefined;
          try {
            caller = callers.admit(req, exchange);
          } catch (error) {
            return answerError(error, req, exchange);
          }
          if (!caller || fastPath.respond(req, exchange, caller)) return;
          exchange.watch();
          app(req, res);
        }),
      refuse: ({ req }, exchange, problem) => answerError(problem, req, exchange),
    },
    { clock, ...config.server, ...connectionLimits(config, { clock, emit, addresses }) },
  );
  return {
    get given() {
      return tally.all;
    },
    get bytes() {
      return answers.bytes;
    },
    get exportsRunning() {
      return exports.running;
    },
    processes: 1,
    deaths: 0,
    listen: () => server.listen(config.server.host, config.server.port),
    drain: () => {
      refreshAhead.close();
      return server.drain(config.server.drainTimeoutMs, () => exports.breakOff());
    },
  };
}

/** Warns of a forgotten or wrong `server.trustProxy`, once for each header: requests have it again and again. */
function warnOfIgnored(emit: Emit): (peer: string, header: string) => void {
  const warned = new Set<string>();
  return (peer, header) => {
    if (warned.has(header)) return;
    warned.add(header);
    emit('proxy.untrusted', { header, peer, setting: 'server.trustProxy' });
  };
}

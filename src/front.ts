/**
 * What callers reach: guards, teams, limits, the resources, and the server under them. Where pages come from is somebody
 * else's business.
 */
import { createApp } from './app.ts';
import { Addresses } from './callers/address.ts';
import { BrowserGuard } from './callers/browser-guard.ts';
import { Callers } from './callers/callers.ts';
import { connectionLimits } from './callers/connection-limits.ts';
import { allowHosts, loopbackHosts } from './callers/host-guard.ts';
import { type Counting, RateLimit } from './callers/rate-limit.ts';
import { securityHeaders } from './callers/security-headers.ts';
import { Teams } from './callers/teams.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/schema.ts';
import { Lane } from './lane.ts';
import { type Exchange, observeExchanges } from './operations/exchange.ts';
import type { AccessLog, Logger } from './operations/log.ts';
import { publicStatus } from './operations/public-status.ts';
import type { PublicStatus } from './operations/status.ts';
import { type Tallied, Tally } from './operations/tally.ts';
import type { PageSource } from './pages/pages.ts';
import { answerProblemJson } from './resource.ts';
import { SendsEndpoint } from './sends/endpoint.ts';
import { SendsExports } from './sends/export.ts';
import type { ExportPlaces } from './sends/export-places.ts';
import { ReadAhead } from './sends/read-ahead.ts';
import { ReadyAnswers } from './sends/ready-answers.ts';
import { RefreshAhead } from './sends/refresh-ahead.ts';
import { type SummarySource, summaryHandler } from './sends/summary.ts';
import { createServer } from './server.ts';
import { createSite } from './site/site.ts';
import type { CampaignIdRule } from './upstream/dialect.ts';

interface FrontParts {
  readonly clock: Clock;
  readonly version: string;
  readonly log: Logger;
  readonly accessLog: AccessLog;
  readonly pages: PageSource;
  readonly summaries: SummarySource;
  readonly campaignIds: CampaignIdRule;
  /** Whether there is quota for calls that nobody has asked for yet. */
  readonly isAmple: () => boolean;
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
  const { clock, pages, campaignIds, isAmple } = parts;
  const { basePath } = config.server;
  const addresses = new Addresses(config.server.trustProxy);
  const teams = new Teams(config.teams, config.callers.required, addresses);
  const callers = new Callers({
    isAllowedHost: allowHosts([...loopbackHosts, ...config.server.allowedHosts]),
    browserGuard: new BrowserGuard(config.callers.cors.origins),
    teams,
  });
  const rateLimit = new RateLimit(config.callers, teams.all, addresses, clock, parts.counting, parts.onSeen);
  const head = securityHeaders();
  const answers = new ReadyAnswers(head, parts.answersBytes);
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const endpointParts = { pages, answers, readAhead, refreshAhead, addresses, campaignIds, clock };
  const sends = new SendsEndpoint(endpointParts);
  const dropIn = config.server.dropInV2 ? new SendsEndpoint(endpointParts, 'v2') : undefined;
  const onUnexpected = (error: unknown, id: string) => parts.log.error({ id, err: error }, 'unexpected error');
  const exports = new SendsExports(
    { pages, campaignIds, clock, onUnexpected, places: parts.exportPlaces },
    config.exports,
  );
  const tally = new Tally();
  const observe = observeExchanges({ log: parts.accessLog, tally, clock, head });
  const lane = new Lane({ basePath, callers, rateLimit, sends });
  const app = createApp({
    basePath,
    hosts: callers.hosts,
    site: createSite({ version: parts.version, basePath, campaignIds }),
    callers: callers.middleware,
    rateLimit: rateLimit.middleware,
    sends: sends.handle,
    exports: (name) => exports.handler(name),
    summary: summaryHandler(parts.summaries, campaignIds),
    status: publicStatus(parts.readStatus),
    dropIn: dropIn?.handle,
    onUnexpected,
  });
  const server = createServer<Exchange>(
    app,
    {
      receive: observe,
      answer: (req, res, exchange) =>
        exchange.trace.run(() => {
          if (lane.answer(req, exchange)) return;
          exchange.watch();
          app(req, res);
        }),
      refuse: (_res, exchange, problem) => answerProblemJson(exchange, problem, basePath),
    },
    { clock, ...config.server, ...connectionLimits(config, { clock, log: parts.log, addresses }) },
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

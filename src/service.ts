/**
 * A whole Sendgate in one process: what is needed is built here, once, and passed in.
 */
import type { DestinationStream } from 'pino';
import { createApp } from './app.ts';
import { Addresses } from './callers/address.ts';
import { BrowserGuard } from './callers/browser-guard.ts';
import { Callers } from './callers/callers.ts';
import { allowHosts, loopbackHosts } from './callers/host-guard.ts';
import { RateLimit } from './callers/rate-limit.ts';
import { securityHeaders } from './callers/security-headers.ts';
import { Teams } from './callers/teams.ts';
import { type Clock, settlesWithin } from './clock.ts';
import type { Loaded } from './config/load.ts';
import { Secrets } from './config/secrets.ts';
import { createLane } from './lane.ts';
import { observeExchanges } from './operations/exchange.ts';
import { Health } from './operations/health.ts';
import { createLogs, type Logger } from './operations/log.ts';
import { managementListener } from './operations/management.ts';
import { Metrics } from './operations/metrics.ts';
import { type Status, StatusBoard } from './operations/status.ts';
import { Pages } from './pages/pages.ts';
import { readSends, renderPage } from './sends/body.ts';
import { SendsEndpoint } from './sends/endpoint.ts';
import { ReadAhead } from './sends/read-ahead.ts';
import { RefreshAhead } from './sends/refresh-ahead.ts';
import { bounded, createServer, drain, listen } from './server.ts';
import { buildUpstream } from './upstream/build.ts';
import type { RefreshOrder, RefreshOutcome } from './upstream/oauth/refresh.ts';

export interface ServiceParts {
  readonly clock: Clock;
  readonly readFile: (path: string) => string;
  readonly logDestination: DestinationStream;
  readonly version: string;
  /** Refreshes v3's tokens, in the file that the order names. */
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
}

export interface Service {
  readonly url: string;
  readonly managementUrl: string;
  readonly log: Logger;
  readonly pages: Pages;
  readonly metrics: Metrics;
  status(): Status;
  /** Reads mounted secrets again. */
  reloadSecrets(): void;
  /** Everything that must not be seen. */
  secretValues(): readonly string[];
  /** Stops accepting, answers what is in flight, closes what is idle. */
  stop(): Promise<void>;
}

/** Builds and listens. Rejects when an address cannot be bound. */
export async function startService({ config, secrets: sources }: Loaded, parts: ServiceParts): Promise<Service> {
  const { clock } = parts;
  const { basePath } = config.server;
  const secrets = new Secrets(sources, parts.readFile, (name, outcome) => {
    if (outcome === 'unreadable') {
      log.error({ secret: name }, 'the file of a secret holds none; the last good one stays in use');
      return;
    }
    tokens?.reload();
    credentialsGate.probeNow();
    log.info({ secret: name }, 'a secret was replaced');
  });
  const { log, accessLog } = createLogs({
    level: config.log.level,
    destination: parts.logDestination,
    secrets: () => secrets.values(),
  });
  if (config.constantContact.api === 'v2' && secrets.get('accessToken') === undefined) {
    log.warn('no access token is set: Constant Contact is called with the API key alone');
  }

  const addresses = new Addresses(config.server.trustProxy);
  const teams = new Teams(config.teams, config.callers.required, addresses);
  const { upstream, quota, tokens, credentialsGate, dayGate, breaker } = buildUpstream(config, {
    clock,
    log,
    secrets,
    refreshTokens: parts.refreshTokens,
    onRefresh: ({ outcome }) => metrics.tokenRefreshed(outcome),
    userAgent: `sendgate/${parts.version}`,
    weights: new Map(teams.all.map(({ name, weight }) => [name, weight])),
    onCall: (outcome, seconds, code) => {
      metrics.upstreamCall(outcome, seconds);
      if (outcome !== 'ok') log.warn({ outcome, code, seconds }, 'a call to Constant Contact failed');
    },
    onWait: (team, urgency, seconds) => {
      metrics.waited(team, urgency, seconds);
      status.waited(team, urgency, seconds);
    },
  });
  const pages = new Pages(
    {
      fetchPage: (query, demand, signal) => upstream.fetchPage(query, demand, signal),
      render: (query, page) => renderPage(basePath, query, page),
      readSends,
      filtersSince: upstream.dialect.filtersSince,
      clock,
    },
    config.cache,
  );

  const state = {
    credentialsRefused: () => credentialsGate.isShut || tokens?.needsPerson === true,
    quotaExhausted: () => dayGate.isShut || quota.isSpent,
    circuitOpen: () => breaker.isOpen,
  };
  const health = new Health(state);
  const status = new StatusBoard({
    ...state,
    quota: () => quota.status(),
    cache: () => ({ bytes: pages.bytes, pages: pages.count }),
  });
  const metrics = new Metrics({
    ...state,
    cacheBytes: () => pages.bytes,
    cachePages: () => pages.count,
    quotaWaiting: () => quota.waiting,
    callsToday: () => quota.status().callsToday,
    callsLeftToday: () => quota.status().leftToday,
    tokenLifeSeconds: () => (tokens?.lifeLeftMs ?? 0) / 1000,
  });

  const callers = new Callers({
    isAllowedHost: allowHosts([...loopbackHosts, ...config.server.allowedHosts]),
    browserGuard: new BrowserGuard(config.callers.cors.origins),
    teams,
  });
  const rateLimit = new RateLimit(config.callers, teams.all, addresses, clock);
  const isAmple = () => quota.isAmple;
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const endpointParts = {
    pages,
    readAhead,
    refreshAhead,
    addresses,
    campaignIds: upstream.dialect.campaignIds,
    clock,
  };
  const sends = new SendsEndpoint(endpointParts);
  const dropIn = config.server.dropInV2 ? new SendsEndpoint(endpointParts, 'v2') : undefined;
  const observe = observeExchanges({ log: accessLog, metrics, status, clock, headers: securityHeaders() });
  const lane = createLane({ basePath, callers, rateLimit, sends });
  const app = createApp({
    basePath,
    callers: callers.middleware,
    rateLimit: rateLimit.middleware,
    sends: sends.handle,
    dropIn: dropIn?.handle,
    onUnexpected: (error, id) => log.error({ id, err: error }, 'unexpected error'),
  });

  const server = createServer(
    app,
    (req, res) => {
      observe(req, res);
      if (!lane(req, res)) app(req, res);
    },
    config.server,
  );
  const management = bounded(
    {},
    config.server,
    managementListener({ health, metrics, status, allowedHosts: config.server.allowedHosts }),
  );
  const managementUrl = await listen(management, config.management.host, config.management.port);
  const url = await listen(server, config.server.host, config.server.port).catch((error: unknown) => {
    management.close();
    throw error;
  });
  health.phase = 'ready';
  log.info({ url, managementUrl, version: parts.version, node: process.version }, 'listening');

  return {
    url,
    managementUrl,
    log,
    pages,
    metrics,
    status: () => status.read(),
    reloadSecrets: () => {
      secrets.reload();
      tokens?.reload();
    },
    secretValues: () => secrets.values(),
    stop: async () => {
      health.phase = 'draining';
      log.info('draining');
      refreshAhead.close();
      const { drainTimeoutMs } = config.server;
      // Who ends a container ends every process in it: also the one that refreshes the tokens.
      const refreshed = tokens && settlesWithin(clock, drainTimeoutMs, tokens.close());
      await Promise.all([drain(server, drainTimeoutMs, clock), refreshed]);
      await drain(management, 0, clock);
      upstream.close();
      secrets.close();
      log.info('stopped');
    },
  };
}

/**
 * A whole Sendgate in one process: what is needed is built here, once, and passed in.
 */
import type { DestinationStream } from 'pino';
import { createApp } from './app.ts';
import { addressOf } from './callers/address.ts';
import { allowHosts, hostGuard, loopbackHosts } from './callers/host-guard.ts';
import { RateLimit } from './callers/rate-limit.ts';
import { securityHeaders } from './callers/security-headers.ts';
import type { Clock } from './clock.ts';
import type { Loaded } from './config/load.ts';
import { Secrets } from './config/secrets.ts';
import { createLane } from './lane.ts';
import { observeExchanges } from './operations/exchange.ts';
import { Health } from './operations/health.ts';
import { createLogs, type Logger } from './operations/log.ts';
import { managementListener } from './operations/management.ts';
import { Metrics } from './operations/metrics.ts';
import { Pages } from './pages/pages.ts';
import { Problem } from './problems.ts';
import { renderPage } from './sends/body.ts';
import { SendsEndpoint } from './sends/endpoint.ts';
import { bounded, createServer, drain, listen } from './server.ts';
import { quotaExhausted } from './upstream/day.ts';
import { Gate } from './upstream/gate.ts';
import { Quota } from './upstream/quota.ts';
import { Transport } from './upstream/transport.ts';
import { Upstream } from './upstream/upstream.ts';
import { v2 } from './upstream/v2.ts';

export interface ServiceParts {
  readonly clock: Clock;
  readonly readFile: (path: string) => string;
  readonly logDestination: DestinationStream;
  readonly version: string;
}

export interface Service {
  readonly url: string;
  readonly managementUrl: string;
  readonly log: Logger;
  readonly pages: Pages;
  readonly metrics: Metrics;
  /** Reads mounted secrets again. */
  reloadSecrets(): void;
  /** Everything that must not be seen. */
  secretValues(): readonly string[];
  /** Stops accepting, answers what is in flight, closes what is idle. */
  stop(): Promise<void>;
}

const hourMs = 3_600_000;

/** Builds and listens. Rejects when an address cannot be bound. */
export async function startService({ config, secrets: sources }: Loaded, parts: ServiceParts): Promise<Service> {
  const { clock } = parts;
  const secrets = new Secrets(sources, parts.readFile, (name, outcome) => {
    if (outcome === 'unreadable') {
      log.error({ secret: name }, 'the file of a secret holds none; the last good one stays in use');
      return;
    }
    credentialsGate.probeNow();
    log.info({ secret: name }, 'a secret was replaced');
  });
  const { log, accessLog } = createLogs({
    level: config.log.level,
    destination: parts.logDestination,
    secrets: () => secrets.values(),
  });
  if (secrets.accessToken() === undefined) {
    log.warn('no access token is set: Constant Contact is called with the API key alone');
  }

  const credentialsGate = new Gate(clock, {
    probeEveryMs: config.constantContact.credentialsRetrySeconds * 1000,
    problem: () => new Problem('upstream-credentials-refused', { reason: 'gate' }),
    onChange: (shut) => {
      if (shut) log.error('Constant Contact refuses the credentials: replace the API key or the access token');
      else log.info('Constant Contact takes the credentials again');
    },
  });
  const dayGate = new Gate(clock, {
    probeEveryMs: hourMs,
    problem: () => quotaExhausted(clock.now()),
    onChange: (shut) => {
      if (shut) log.error("Constant Contact's quota of the day is spent: held pages are served until 00:00 UTC");
      else log.info('Constant Contact takes calls again');
    },
  });
  const quota = new Quota(clock, config.quota);
  const health = new Health({ credentialsRefused: () => credentialsGate.isShut, quotaExhausted: () => dayGate.isShut });
  const upstream = new Upstream(
    {
      dialect: v2,
      transport: new Transport({
        baseUrl: config.constantContact.baseUrl,
        userAgent: `sendgate/${parts.version}`,
        maxResponseBytes: config.constantContact.maxResponseBytes,
      }),
      quota,
      credentialsGate,
      dayGate,
      credentials: secrets,
      clock,
      observe: (outcome, seconds) => {
        metrics.upstreamCall(outcome, seconds);
        health.upstreamCall(outcome);
        if (outcome !== 'ok') log.warn({ outcome, seconds }, 'a call to Constant Contact failed');
      },
    },
    config.constantContact,
  );
  const pages = new Pages(
    {
      fetchPage: (query, signal) => upstream.fetchPage(query, signal),
      render: (query, page) => renderPage(config.server.basePath, query, page),
      clock,
    },
    config.cache,
  );
  const metrics = new Metrics({
    cacheBytes: () => pages.bytes,
    cachePages: () => pages.count,
    quotaWaiting: () => quota.waiting,
    credentialsRefused: () => credentialsGate.isShut,
  });

  const allowedHosts = [...loopbackHosts, ...config.server.allowedHosts];
  const { basePath } = config.server;
  const isAllowedHost = allowHosts(allowedHosts);
  const rateLimit = new RateLimit(config.callers, addressOf(config.server.trustProxy), clock);
  const sends = new SendsEndpoint({ pages, campaignIds: upstream.campaignIds, clock });
  const observe = observeExchanges({ log: accessLog, metrics, clock, headers: securityHeaders() });
  const lane = createLane({ basePath, isAllowedHost, rateLimit, sends });
  const app = createApp({
    basePath,
    hostGuard: hostGuard(isAllowedHost),
    rateLimit: rateLimit.middleware,
    sends: sends.handle,
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
    managementListener({ health, metrics, allowedHosts: config.server.allowedHosts }),
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
    reloadSecrets: () => secrets.reload(),
    secretValues: () => secrets.values(),
    stop: async () => {
      health.phase = 'draining';
      log.info('draining');
      await drain(server, config.server.drainTimeoutMs, clock);
      await drain(management, 0, clock);
      upstream.close();
      secrets.close();
      log.info('stopped');
    },
  };
}

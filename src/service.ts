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
import type { Config } from './config/schema.ts';
import { Secrets } from './config/secrets.ts';
import { createLane } from './lane.ts';
import { observeExchanges } from './operations/exchange.ts';
import { Health } from './operations/health.ts';
import { createLogs, type Logger } from './operations/log.ts';
import { managementListener } from './operations/management.ts';
import { Metrics } from './operations/metrics.ts';
import { publicStatus } from './operations/public-status.ts';
import { type Status, StatusBoard } from './operations/status.ts';
import { Tally } from './operations/tally.ts';
import { maxWalks, Pages } from './pages/pages.ts';
import type { Unreadable } from './pages/record.ts';
import { SharedPages } from './pages/shared-pages.ts';
import { Walks } from './pages/walks.ts';
import { parseRedisUrl } from './redis/address.ts';
import { KeyRing } from './redis/key-ring.ts';
import { Redis } from './redis/redis.ts';
import { readSends, renderPage } from './sends/body.ts';
import { SendsEndpoint } from './sends/endpoint.ts';
import { SendsExports } from './sends/export.ts';
import { parseCampaign } from './sends/query.ts';
import { ReadAhead } from './sends/read-ahead.ts';
import { ReadyAnswers } from './sends/ready-answers.ts';
import { RefreshAhead } from './sends/refresh-ahead.ts';
import { SendsSummary } from './sends/summary.ts';
import { bounded, createServer, drain, listen } from './server.ts';
import { createSite } from './site/site.ts';
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
  /** Hands over the lines that have been gathered. */
  flushLogs(): void;
  /** Everything that must not be seen. */
  secretValues(): readonly string[];
  /** Stops accepting, answers what is in flight, closes what is idle. */
  stop(): Promise<void>;
}

/** Of the bytes of the cache, what is for answers that are ready. */
const partForAnswers = 1 / 8;

/** Builds and listens. Rejects when an address cannot be bound. */
export async function startService({ config, secrets: sources }: Loaded, parts: ServiceParts): Promise<Service> {
  const { clock } = parts;
  const { basePath } = config.server;
  const secrets = new Secrets(sources, parts.readFile, (name, outcome) => {
    if (outcome === 'unreadable') {
      log.error({ secret: name }, 'the file of a secret holds none; the last good one stays in use');
      return;
    }
    if (name === 'redisUrl') {
      log.warn('a new REDIS_URL counts from the next start');
      return;
    }
    tokens?.reload();
    credentialsGate.probeNow();
    log.info({ secret: name }, 'a secret was replaced');
  });
  const { log, accessLog, flush } = createLogs({
    level: config.log.level,
    destination: parts.logDestination,
    secrets: () => secrets.values(),
  });
  if (config.constantContact.api === 'v2' && secrets.get('accessToken') === undefined) {
    log.warn('no access token is set: Constant Contact is called with the API key alone');
  }

  const redis = buildRedis(config, {
    clock,
    log,
    secrets,
    onAsked: (script, outcome, seconds) => metrics.redisAsked(script, outcome, seconds),
  });
  const keyRing = buildKeyRing(config, parts.readFile, log);

  const addresses = new Addresses(config.server.trustProxy);
  const teams = new Teams(config.teams, config.callers.required, addresses);
  const { upstream, quota, tokens, credentialsGate, dayGate, breaker } = buildUpstream(config, {
    clock,
    log,
    secrets,
    redis,
    keyRing,
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
  const walks = new Walks(maxWalks, clock);
  const shared =
    redis &&
    new SharedPages(
      {
        redis,
        walks,
        clock,
        keys: keyRing,
        onUnreadable: onceAMinute(clock, (why) => log.warn(unreadableMessages[why])),
      },
      {
        namespace: `${config.constantContact.api}${basePath}`,
        staleIfErrorSeconds: config.cache.staleIfErrorSeconds,
        maxFreshSeconds: config.cache.maxFreshSeconds,
        maxWaitMs: config.constantContact.deadlineMs,
      },
    );
  const answersBytes = Math.floor(config.cache.maxBytes * partForAnswers);
  const pages = new Pages(
    {
      fetchPage: (query, demand, signal) => upstream.fetchPage(query, demand, signal),
      render: (query, page) => renderPage(basePath, query, page),
      readSends,
      filtersSince: upstream.dialect.filtersSince,
      walks,
      shared,
      clock,
    },
    { ...config.cache, maxBytes: config.cache.maxBytes - answersBytes },
  );
  const commonHead = securityHeaders();
  const answers = new ReadyAnswers(commonHead, answersBytes);

  const state = {
    credentialsRefused: () => credentialsGate.isShut || tokens?.needsPerson === true,
    quotaExhausted: () => dayGate.isShut || quota.isSpent,
    circuitOpen: () => breaker.isOpen,
  };
  const health = new Health(state);
  const tally = new Tally();
  const given = () => tally.all;
  const status = new StatusBoard({
    ...state,
    answers: given,
    quota: () => quota.status(),
    cache: () => ({ bytes: pages.bytes + answers.bytes, pages: pages.count }),
    sharing: () => ({
      redis: redis ? (redis.isUp ? 'up' : 'down') : 'none',
      instances: redis?.instances ?? 1,
    }),
  });
  const metrics = new Metrics(
    {
      ...state,
      cacheBytes: () => pages.bytes + answers.bytes,
      cachePages: () => pages.count,
      quotaWaiting: () => quota.waiting,
      exportsRunning: () => exports.running,
      callsToday: () => quota.status().callsToday,
      callsLeftToday: () => quota.status().leftToday,
      instances: () => redis?.instances ?? 1,
      redisDown: () => redis !== undefined && !redis.isUp,
      tokenLifeSeconds: () => (tokens?.lifeLeftMs ?? 0) / 1000,
    },
    given,
  );

  const callers = new Callers({
    isAllowedHost: allowHosts([...loopbackHosts, ...config.server.allowedHosts]),
    browserGuard: new BrowserGuard(config.callers.cors.origins),
    teams,
  });
  const rateLimit = new RateLimit(config.callers, teams.all, addresses, clock, redis);
  const isAmple = () => quota.isAmple;
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const endpointParts = {
    pages,
    answers,
    readAhead,
    refreshAhead,
    addresses,
    campaignIds: upstream.dialect.campaignIds,
    clock,
  };
  const sends = new SendsEndpoint(endpointParts);
  const onUnexpected = (error: unknown, id: string) => log.error({ id, err: error }, 'unexpected error');
  const { campaignIds } = upstream.dialect;
  const exports = new SendsExports({ pages, campaignIds, clock, onUnexpected }, config.exports);
  const summary = new SendsSummary(
    {
      fetchSummary: (campaign, demand, signal) => upstream.fetchSummary(campaign, demand, signal),
      campaignIds: upstream.dialect.campaignIds,
      clock,
    },
    config.cache,
  );
  const dropIn = config.server.dropInV2 ? new SendsEndpoint(endpointParts, 'v2') : undefined;
  const observe = observeExchanges({ log: accessLog, tally, clock, head: commonHead });
  const lane = createLane({ basePath, callers, rateLimit, sends });
  const app = createApp({
    basePath,
    hosts: callers.hosts,
    site: createSite({ version: parts.version, basePath, campaignIds: upstream.dialect.campaignIds }),
    callers: callers.middleware,
    rateLimit: rateLimit.middleware,
    sends: sends.handle,
    exports: (name) => exports.handler(name),
    summary: summary.handle,
    status: publicStatus(status),
    dropIn: dropIn?.handle,
    onUnexpected,
  });

  const server = createServer(
    app,
    (req, res) => {
      const exchange = observe(req, res);
      exchange.trace.run(() => {
        if (lane(req)) return;
        exchange.watch();
        app(req, res);
      });
    },
    config.server,
  );
  const purge = async (given: string | undefined) => {
    const campaign = given === undefined ? undefined : parseCampaign(given, '', upstream.dialect.campaignIds);
    summary.forget(campaign);
    const purged = await pages.purge(campaign);
    log.info({ campaign, ...purged }, 'purged');
    return purged;
  };
  const management = bounded(
    {},
    config.server,
    managementListener({ health, metrics, status, allowedHosts: config.server.allowedHosts, purge }),
  );
  await redis?.started();
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
    flushLogs: flush,
    secretValues: () => secrets.values(),
    stop: async () => {
      health.phase = 'draining';
      log.info('draining');
      refreshAhead.close();
      const { drainTimeoutMs } = config.server;
      // Who ends a container ends every process in it: also the one that refreshes the tokens.
      const refreshed = tokens && settlesWithin(clock, drainTimeoutMs, tokens.close());
      await Promise.all([drain(server, drainTimeoutMs, clock, () => exports.breakOff()), refreshed]);
      await drain(management, 0, clock);
      upstream.close();
      await redis?.close();
      keyRing?.close();
      secrets.close();
      log.info('stopped');
    },
  };
}

interface RedisParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly secrets: Secrets;
  readonly onAsked: (script: string, outcome: string, seconds: number) => void;
}

function buildRedis({ redis }: Config, { clock, log, secrets, onAsked }: RedisParts): Redis | undefined {
  const address = parseRedisUrl(secrets.get('redisUrl') ?? '');
  if (!address) return undefined;
  const built: Redis = new Redis(address, redis, clock, {
    asked: onAsked,
    changed: (isUp, reason) => {
      const { instances } = built;
      if (isUp) log.info({ instances }, 'Redis is there: pages, quota and limits are shared');
      else
        log.warn({ reason, instances }, 'Redis does not help: this instance goes on alone, with its part of the quota');
    },
  });
  return built;
}

function buildKeyRing({ cache }: Config, readFile: (path: string) => string, log: Logger): KeyRing | undefined {
  const file = cache.encryptionKeyFile;
  if (file === '') return undefined;
  return new KeyRing(file, readFile, () =>
    log.error({ file }, 'the file of encryption keys holds none; the last good ones stay in use'),
  );
}

const unreadableMessages: Readonly<Record<Unreadable, string>> = {
  'other-version': 'a page in Redis is of another version, or not encrypted as it should be: it is fetched again',
  'unknown-key': 'a page in Redis is encrypted with a key that is not in cache.encryptionKeyFile: it is fetched again',
  damaged: 'a page in Redis is damaged: it is fetched again',
};

/** The same is told once a minute at the most. */
function onceAMinute<T>(clock: Clock, tell: (what: T) => void): (what: T) => void {
  const toldAt = new Map<T, number>();
  return (what) => {
    const now = clock.monotonic();
    if (now - (toldAt.get(what) ?? Number.NEGATIVE_INFINITY) < 60_000) return;
    toldAt.set(what, now);
    tell(what);
  };
}

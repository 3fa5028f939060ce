/**
 * A whole Sendgate in one process: what is needed is built here, once, and passed in.
 */
import { randomBytes } from 'node:crypto';
import { managementListener } from '../app/management.ts';
import { Walks } from '../cache/generations.ts';
import { campaignOf, maxWalks, Pages } from '../cache/page-cache.ts';
import { SharedPages } from '../cache/shared-pages.ts';
import { UnknownIds } from '../cache/unknown-ids.ts';
import { broadRanges } from '../callers/address.ts';
import { countingIn, teamOfClient } from '../callers/rate-limit/rate-limit.ts';
import { defaultTeam } from '../callers/teams.ts';
import { Summaries } from '../campaigns/summary.ts';
import { type Clock, onceAMinute, settlesWithin } from '../clock.ts';
import type { Loaded } from '../config/load.ts';
import { parseRedisUrl } from '../config/redis-url.ts';
import type { Config } from '../config/schema.ts';
import { Secrets } from '../config/secrets.ts';
import { type Emit, Events } from '../events.ts';
import type { ConnectionLimits } from '../http/connections.ts';
import { serve } from '../http/server.ts';
import { logEvents } from '../observability/event-log.ts';
import { Health } from '../observability/health.ts';
import { createLogs, type Logger } from '../observability/log.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import { Metrics } from '../observability/metrics.ts';
import { type Status, StatusBoard } from '../observability/status.ts';
import { Problem } from '../problems.ts';
import { digestWith } from '../redis/digests.ts';
import { Redis } from '../redis/redis.ts';
import { LocalExportSlots } from '../reports/export/slots.ts';
import { readRows, renderPage } from '../reports/page-json.ts';
import { parseCampaign } from '../reports/query.ts';
import { KeyRing } from '../storage/key-ring.ts';
import { flushSpans } from '../tracing.ts';
import type { RefreshOrder, RefreshOutcome } from '../upstream/oauth/refresh.ts';
import { bytesOfPrimary } from '../workers/memory.ts';
import { Workers } from '../workers/workers.ts';
import { buildFront, type Front } from './front.ts';
import { buildUpstream } from './upstream.ts';

export interface ServiceParts {
  readonly clock: Clock;
  readonly readFile: (path: string) => string;
  readonly logDestination: LogDestination;
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

/** The teams that share the quota; where callers have to be of a team, there is no one else. */
const sharingTeams = ({ teams, callers }: Config) => (callers.required ? teams : [...teams, defaultTeam]);

/** Pages are made out of others where the upstream knows no `created_since`, and in v2's form. */
const partForViews = ({ constantContact, server }: Config) =>
  constantContact.api === 'v3' || server.dropInV2 ? 1 / 4 : 0;

/** Builds and listens. Rejects when an address cannot be bound. */
export async function startService({ config, secrets: sources }: Loaded, parts: ServiceParts): Promise<Service> {
  const { clock } = parts;
  const { basePath } = config.server;
  const events = new Events();
  const { emit } = events;
  const secrets = new Secrets(sources, parts.readFile, (name, outcome) => {
    if (outcome === 'unreadable') return emit('secret.unreadable', { secret: name });
    if (name === 'redisUrl') return emit('secret.needs_restart', { secret: name });
    tokens?.reload();
    credentialsReplaced();
    emit('secret.replaced', { secret: name });
  });
  const { log, accessLog } = createLogs({
    level: config.log.level,
    destination: parts.logDestination,
    secrets: () => secrets.values(),
  });
  logEvents(events, log);
  if (config.constantContact.api === 'v2' && secrets.get('accessToken') === undefined) {
    emit('secret.no_access_token', {});
  }

  warnOfBroadTrust(config, emit);

  const redis = buildRedis(config, {
    ...{ clock, emit, secrets },
    // What others have done meanwhile is not known.
    onBack: () => workers?.moved(undefined),
  });
  const keyRing = buildKeyRing(config, parts.readFile, emit);

  /** Credentials are what instances have in common, and Redis does not know. */
  const credential = () => secrets.get('apiKey') ?? secrets.get('clientSecret') ?? secrets.get('clientId');
  const keyedDigest = digestWith(() => keyRing?.digestKey ?? credential());

  const { upstream, quota, tokens, gates, credentialsReplaced } = buildUpstream(config, {
    ...{ clock, emit, secrets, redis, keyRing },
    digest: keyedDigest,
    onIdsLearned: (ids) => {
      for (const id of ids) workers?.moved(id);
    },
    refreshTokens: parts.refreshTokens,
    userAgent: `sendgate/${parts.version}`,
    teams: new Map(sharingTeams(config).map((team) => [team.name, team])),
  });
  const walks = new Walks(maxWalks, clock, (walk) => workers?.moved(campaignOf(walk)));
  const shared =
    redis &&
    new SharedPages(
      {
        redis,
        walks,
        clock,
        keys: keyRing,
        digest: digestWith(() => keyRing?.digestKey),
        teams: new Set([...config.teams, defaultTeam].map(({ name }) => name)),
        onUnreadable: onceAMinute(clock, (reason) => emit('redis.page_unreadable', { reason })),
      },
      {
        namespace: `${config.constantContact.api}${basePath}`,
        staleIfErrorSeconds: config.cache.staleIfErrorSeconds,
        maxFreshSeconds: config.cache.maxFreshSeconds,
        notFoundSeconds: config.cache.notFoundSeconds,
        // With v3, our names of the fields and the id of the campaign can make a content longer than it came.
        maxPageBytes: config.constantContact.maxResponseBytes * 2,
        maxWaitMs: config.constantContact.deadlineMs,
      },
    );
  const { pagesBytes, answersBytes } = bytesOfPrimary(config);
  const { ids } = upstream.dialect;
  const unknownIds = new UnknownIds(clock, config.cache.notFoundSeconds, ids);
  const pages = new Pages(
    {
      unknownIds,
      fetchPage: (query, demand, signal) => upstream.fetchPage(query, demand, signal),
      render: (query, page) => renderPage(basePath, query, page),
      readRows,
      filtersSince: upstream.dialect.filtersSince,
      ids,
      walks,
      shared,
      onForgotten: (campaign) => {
        workers?.moved(campaign);
        summaries.forget(campaign);
      },
      outageAt: () => gates.breaker.openedAt,
      clock,
    },
    { ...config.cache, maxBytes: pagesBytes, maxViewBytes: Math.floor(pagesBytes * partForViews(config)) },
  );

  const state = {
    gone: () => gates.gone.isShut,
    credentialsRefused: () => gates.credentials.isShut || tokens?.needsPerson === true,
    quotaExhausted: () => gates.day.isShut || quota.isSpent,
    circuitOpen: () => gates.breaker.isOpen,
  };
  const isFailing = () => state.circuitOpen() || tokens?.isMissing === true;
  const health = new Health({ ...state, isFailing }, () => front.processes);
  const given = () => front.given;
  const status = new StatusBoard({
    ...state,
    answers: given,
    quota: () => quota.status(),
    cache: () => ({ bytes: pages.bytes + front.bytes, pages: pages.count }),
    sharing: () => ({
      redis: redis ? (redis.isUp ? 'up' : 'down') : 'none',
      instances: redis?.instances ?? 1,
    }),
  });
  const metrics = new Metrics(
    {
      ...state,
      cacheBytes: () => pages.bytes + front.bytes,
      cachePages: () => pages.count,
      quotaWaiting: () => quota.waiting,
      exportsRunning: () => front.exportsRunning,
      workers: () => front.processes,
      callsToday: () => quota.status().callsToday,
      callsLeftToday: () => quota.status().leftToday,
      instances: () => redis?.instances ?? 1,
      redisDown: () => redis !== undefined && !redis.isUp,
      tokenLifeSeconds: () => (tokens?.lifeLeftMs ?? 0) / 1000,
    },
    given,
    () => front.deaths,
    () => quota.status().teams,
    () => parts.logDestination.lostBytes,
  );
  metrics.listen(events);
  events.on('quota.waited', ({ team, urgency, seconds }) => status.waited(team, urgency, seconds));

  const summaries = new Summaries(
    {
      ...{ unknownIds, ids },
      fetchSummary: (campaign, demand, signal) => upstream.fetchSummary(campaign, demand, signal),
      clock,
      outageAt: () => gates.breaker.openedAt,
    },
    config.cache,
  );
  const behind = {
    ...{ clock, emit, pages, summaries },
    isAmple: () => quota.isAmple,
    onSeen: (client: string) => quota.seen(teamOfClient(client), client),
    counting: redis && countingIn(redis, keyedDigest),
    partitionSalt: randomBytes(16).toString('hex'),
    exportSlots: new LocalExportSlots(config.exports.perTeam),
    readStatus: () => status.readPublic(),
  };
  const workers =
    config.server.workers > 1
      ? new Workers(config.server, { ...behind, logDestination: parts.logDestination })
      : undefined;
  const { version } = parts;
  const { campaignIds } = upstream.dialect;
  const front: Front = workers ?? buildFront(config, { ...behind, accessLog, version, campaignIds, answersBytes });
  const purge = async (given: string | undefined) => {
    const campaign = given === undefined ? undefined : parseCampaign(given, '', campaignIds);
    // An id may mean an activity whose pages are held here, or by others, before anybody has asked by that id, or when it meant none.
    ids.doubt(campaign);
    const problem = campaign === undefined ? undefined : await problemOf(upstream.identify(campaign));
    const purged = await pages.purge(campaign);
    emit('cache.purged', { campaign, ...purged, problem: problem?.code });
    if (problem) throw new Problem(problem.code, { detail: notIdentified });
    return purged;
  };
  const management = serve(
    managementListener({ health, metrics, status, allowedHosts: config.server.allowedHosts, purge }),
    { ...config.server, ...managementLimits(config, clock) },
  );
  await redis?.started();
  const managementUrl = await management.listen(config.management.host, config.management.port);
  const url = await front.listen().catch(async (error: unknown) => {
    await management.drain(0);
    throw error;
  });
  health.phase = 'ready';
  emit('service.listening', { url, managementUrl, version: parts.version, node: process.version });

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
      workers?.reload();
    },
    secretValues: () => secrets.values(),
    stop: async () => {
      health.phase = 'draining';
      emit('service.draining', {});
      management.startDraining();
      const { drainTimeoutMs } = config.server;
      // Who ends a container ends every process in it: also the one that refreshes the tokens.
      const refreshed = tokens && settlesWithin(clock, drainTimeoutMs, tokens.close());
      await Promise.all([front.drain(), refreshed]);
      await management.drain(managementDrainMs);
      upstream.close();
      await redis?.close();
      await flushSpans(clock);
      keyRing?.close();
      secrets.close();
      emit('service.stopped', {});
    },
  };
}

const notIdentified =
  'The pages that are held under this very id are forgotten. Whether it means a campaign that is held under another one could not be found out: try again, or purge everything.';

async function problemOf(doing: Promise<void>): Promise<Problem | undefined> {
  try {
    await doing;
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Probes and scrapes are quick: what is in flight at the end has this long. */
const managementDrainMs = 250;

/** Nobody shares the management listener: its peers are not told apart. */
const managementLimits = ({ server, exports }: Config, clock: Clock): ConnectionLimits & { clock: Clock } => ({
  ...{ clock, maxConnections: server.maxConnections, maxPerPeer: server.maxConnections, peerOf: () => undefined },
  ...{ patienceMs: exports.patienceSeconds * 1000, onRejected: () => {}, onStalled: () => {} },
});

/** Every host inside a trusted range may send any address, and any team's header. */
function warnOfBroadTrust({ server, teams }: Config, emit: Emit): void {
  const ranges = broadRanges(server.trustProxy);
  const claimable = teams.filter(({ networks, header }) => networks.length > 0 || header).map(({ name }) => name);
  if (ranges.length === 0 || claimable.length === 0) return;
  emit('trust.broad', { setting: 'server.trustProxy', ranges, teams: claimable });
}

interface RedisParts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly secrets: Secrets;
  readonly onBack: () => void;
}

function buildRedis({ redis }: Config, { clock, emit, secrets, onBack }: RedisParts): Redis | undefined {
  const address = parseRedisUrl(secrets.get('redisUrl') ?? '');
  if (!address) return undefined;
  const built: Redis = new Redis(address, redis, clock, {
    asked: (script, outcome, seconds) => emit('redis.asked', { script, outcome, seconds }),
    changed: (isUp, why) => {
      const { instances } = built;
      if (isUp) onBack();
      if (isUp) emit('redis.available', { instances });
      else emit('redis.unavailable', { ...why, instances });
    },
  });
  return built;
}

function buildKeyRing({ cache }: Config, readFile: (path: string) => string, emit: Emit): KeyRing | undefined {
  const file = cache.encryptionKeyFile;
  if (file === '') return undefined;
  return new KeyRing(file, readFile, () => emit('encryption_keys.unreadable', { file }));
}

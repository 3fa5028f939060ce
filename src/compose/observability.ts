/**
 * Builds logs, metrics, status and health. They read the state of other rooms and listen to events.
 */
import type { FrontReport } from '../app/front.ts';
import type { PageCache } from '../cache/page-cache.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { EventKey, Events } from '../events.ts';
import { logEvents } from '../observability/event-log.ts';
import { Health, type UpstreamState } from '../observability/health.ts';
import { createLogs, type Logs } from '../observability/log.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import { Metrics } from '../observability/metrics.ts';
import { StatusBoard } from '../observability/status.ts';
import { usagePart } from '../observability/stored-usage.ts';
import { Usage } from '../observability/usage.ts';
import type { Redis } from '../redis/redis.ts';
import type { SharedState } from './shared-state.ts';
import type { BuiltStorage } from './storage.ts';
import type { BuiltUpstream } from './upstream.ts';

export function buildLogs({ log }: Config, destination: LogDestination, secrets: Secrets, events: Events): Logs {
  const logs = createLogs({ level: log.level, destination, secrets: () => secrets.values() });
  logEvents(events, logs.log);
  return logs;
}

interface StateParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly built: BuiltUpstream;
  readonly pages: PageCache;
  readonly redis: Redis | undefined;
  readonly storage: BuiltStorage;
}

/** Events that can change the status. */
const statusEvents = [
  'upstream.called',
  'upstream.down',
  'upstream.up',
  'upstream.gone',
  'upstream.back',
  'upstream.quota_spent',
  'upstream.quota_available',
  'upstream.credentials_refused',
  'upstream.access_denied',
  'upstream.credentials_accepted',
  'token.refused',
  'token.missing',
  'token.renewed',
  'token.replaced',
] as const satisfies readonly EventKey[];

/** Builds the status without the front, which shows it to callers. */
export function buildStatus({ clock, events, built, pages, redis, storage }: StateParts): StatusBoard {
  const status = new StatusBoard({
    ...upstreamState(built),
    clock,
    quota: () => built.quota.status(),
    cache: () => ({ bytes: pages.bytes, pages: pages.count }),
    sharing: () => ({
      redis: redis ? (redis.isUp ? 'up' : 'down') : 'none',
      instances: redis?.instances ?? 1,
    }),
    storage: () => ({ state: storage.state, bytes: storage.bytes, pages: storage.pages }),
  });
  events.on('quota.waited', ({ team, urgency, seconds }) => status.waited(team, urgency, seconds));
  for (const event of statusEvents) events.on(event, () => status.observe());
  return status;
}

export function buildHealth(built: BuiltUpstream, front: FrontReport): Health {
  return new Health(upstreamState(built), () => front.processes);
}

interface MetricsParts extends Omit<StateParts, 'clock' | 'redis'> {
  readonly secrets: Secrets;
  readonly shared: SharedState;
  readonly front: FrontReport;
  readonly logDestination: LogDestination;
  readonly version: string;
}

export function buildMetrics(parts: MetricsParts): Metrics {
  const { events, secrets, shared, built, pages, storage, front, logDestination, version } = parts;
  const { redis, keyRing } = shared;
  const { quota, tokens } = built;
  const metrics = new Metrics({
    version,
    gauges: {
      ...upstreamState(built),
      cacheBytes: () => pages.bytes + front.bytes,
      cachePages: () => pages.count,
      quotaWaiting: () => quota.waiting,
      exportsRunning: () => front.exportsRunning,
      workers: () => front.processes,
      callsToday: () => quota.status().callsToday,
      callsLeftToday: () => quota.status().leftToday,
      instances: () => redis?.instances ?? 1,
      redisDown: () => redis !== undefined && !redis.isUp,
      storageDown: () => storage.state === 'down',
      storageBytes: () => storage.bytes,
      storagePages: () => storage.pages,
      secretsUnreadable: () => secrets.unreadable + Number(keyRing?.isUnreadable ?? false),
      tokenLifeSeconds: () => (tokens?.lifeLeftMs ?? 0) / 1000,
    },
    responses: () => front.responses,
    deaths: () => front.deaths,
    teams: () => quota.status().teams,
    lostLogBytes: () => logDestination.lostBytes,
  });
  metrics.listen(events);
  return metrics;
}

interface UsageParts {
  readonly clock: Clock;
  readonly events: Events;
  readonly built: BuiltUpstream;
  readonly front: FrontReport;
  readonly storage: BuiltStorage;
}

export function buildUsage({ clock, events, built, front, storage }: UsageParts): Usage {
  const kept = storage.stateFile.open(usagePart);
  return new Usage({ clock, quota: built.quota, responses: () => front.responses, kept }, events);
}

/** Conditions that stop calls to Constant Contact. */
function upstreamState({
  gates,
  quota,
  tokens,
  isTested,
  isUnanswered,
}: BuiltUpstream): UpstreamState & { readonly circuitOpen: () => boolean } {
  const circuitOpen = () => gates.breaker.isOpen;
  return {
    isUntested: () => !isTested(),
    gone: () => gates.gone.isShut,
    credentialsRefused: () => gates.credentials.isShut || tokens?.needsPerson === true,
    quotaExhausted: () => gates.day.isShut || quota.isSpent,
    circuitOpen,
    isFailing: () => circuitOpen() || isUnanswered() || tokens?.isMissing === true,
  };
}

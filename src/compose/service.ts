/**
 * A whole Sendgate: builds each part once, from the bottom up, and passes it in.
 */
import type { Clock } from '../clock.ts';
import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { Events } from '../events.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import type { RefreshOrder, RefreshOutcome } from '../upstream/oauth/refresh.ts';
import { buildCache } from './cache.ts';
import { buildManagement } from './management.ts';
import { buildHealth, buildLogs, buildMetrics, buildStatus, buildUsage } from './observability.ts';
import { buildProcesses } from './processes.ts';
import { Reload } from './reload.ts';
import { run, type Service } from './run.ts';
import { buildSecrets, warnOfMissingToken } from './secrets.ts';
import { buildSharedState } from './shared-state.ts';
import { buildStorage } from './storage.ts';
import { warnOfBroadTrust } from './trusted-proxies.ts';
import { buildUpstream } from './upstream.ts';

export interface ServiceParts {
  readonly clock: Clock;
  readonly readFile: (path: string) => string;
  readonly logDestination: LogDestination;
  readonly version: string;
  /** Refreshes v3's tokens in the file named by the order. */
  readonly refreshTokens: (order: RefreshOrder) => Promise<RefreshOutcome>;
  /** Ends a start that still waits or does not listen yet. */
  readonly stop?: AbortSignal;
}

/** Builds Sendgate and starts it. Rejects with a BindFailure when an address cannot be bound, and with the reason of `stop`. */
export async function startService(loaded: Loaded, parts: ServiceParts): Promise<Service> {
  const { config, proxies, warnings, source } = loaded;
  const { clock, readFile, logDestination, version, refreshTokens, stop } = parts;
  const events = new Events();
  const { emit } = events;
  const secrets = buildSecrets(loaded, readFile, emit);
  const { log, accessLog, setLevel } = buildLogs(config, logDestination, secrets, events);
  for (const warning of warnings) emit('config.warning', { warning });
  warnOfMissingToken(config, secrets, emit);
  warnOfBroadTrust(config, emit);

  const storage = await buildStorage(config, { clock, emit, stop });
  const shared = buildSharedState(config, { clock, emit, secrets, readFile, stateFile: storage.stateFile });
  const built = buildUpstream(config, {
    ...{ clock, emit, secrets, proxies, refreshTokens, stateFile: storage.stateFile, ...shared },
    userAgent: `sendgate/${version}`,
    onIdsLearned: (ids) => emit('ids.learned', { ids }),
  });
  events.on('secret.replaced', () => {
    built.tokens?.reload();
    built.credentialsReplaced();
  });
  const { upstream } = built;
  const { redis } = shared;
  const cache = buildCache(config, { clock, events, shared, storage, ...built });
  const { pages } = cache;

  const status = buildStatus({ clock, events, built, pages, redis, storage });
  const behind = { clock, events, shared, built, pages, status };
  const processes = buildProcesses(config, { ...behind, version, accessLog, logDestination });
  const { front } = processes;

  const readStatus = () => status.read(front);
  const metrics = buildMetrics({ events, secrets, shared, built, pages, storage, front, logDestination, version });
  const usage = buildUsage({ clock, events, built, front, storage });
  const health = buildHealth(built, front);
  const operators = buildManagement(config, { clock, emit, health, metrics, readStatus, usage, upstream, pages });
  const { management } = operators;
  const apply = (present: Config) => {
    for (const part of [built, cache, processes, operators]) part.reconfigure(present);
    warnOfBroadTrust(present, emit);
  };
  const reload = new Reload(config, { clock, emit, source, warnings, apply, setLogLevel: setLevel });
  return run(loaded, {
    ...{ clock, emit, version, secrets, shared, storage, built, front, usage, management, health, reload },
    ...{ stop, log, pages, metrics, status: readStatus },
  });
}

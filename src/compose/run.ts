/**
 * Starts and stops a Sendgate once its parts are built.
 */
import type { Front } from '../app/front.ts';
import type { PageCache } from '../cache/page-cache.ts';
import { type Clock, settlesWithin } from '../clock.ts';
import { explainBindFailure } from '../config/bind-failure.ts';
import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';
import type { Server } from '../http/server.ts';
import type { Health } from '../observability/health.ts';
import type { Logger } from '../observability/log.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Status } from '../observability/status.ts';
import type { Usage } from '../observability/usage.ts';
import { flushSpans } from '../tracing.ts';
import type { Reload } from './reload.ts';
import type { SharedState } from './shared-state.ts';
import { startChecks } from './start-checks.ts';
import type { BuiltStorage } from './storage.ts';
import type { BuiltUpstream } from './upstream.ts';

interface Parts extends Pick<Service, 'log' | 'pages' | 'metrics' | 'status'> {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly version: string;
  readonly secrets: Secrets;
  readonly shared: SharedState;
  readonly storage: BuiltStorage;
  readonly built: BuiltUpstream;
  readonly front: Front;
  readonly usage: Usage;
  readonly management: Server;
  readonly health: Health;
  readonly reload: Reload;
  readonly stop: AbortSignal | undefined;
}

/** A running Sendgate. */
export interface Service {
  readonly url: string;
  readonly managementUrl: string;
  readonly log: Logger;
  readonly pages: PageCache;
  readonly metrics: Metrics;
  status(): Status;
  /** Rereads mounted secrets, encryption keys and the configuration. */
  reload(): void;
  /** All values to redact. */
  secretValues(): readonly string[];
  /** Stops accepting, finishes requests in flight, closes idle connections. */
  stop(): Promise<void>;
}

/** Opens both listeners. Rejects with a BindFailure when an address cannot be bound, and with the reason of `stop`. */
export async function run(loaded: Loaded, parts: Parts): Promise<Service> {
  const { emit, version, secrets, shared, built, front, usage, health, reload } = parts;
  const { log, pages, metrics, status } = parts;
  await shared.redis?.started();
  const { managementUrl, url } = await listen(loaded, parts).catch(async (error: unknown) => {
    reload.close();
    await refreshesEnd(loaded.config, parts);
    await release(parts);
    throw error;
  });
  usage.start();
  health.phase = 'ready';
  const stopChecks = startChecks(loaded, `sendgate/${version}`, emit);
  emit('service.listening', { url, managementUrl, version, node: process.version });
  return {
    ...{ url, managementUrl, log, pages, metrics, status },
    reload: () => {
      secrets.reload();
      shared.keyRing?.reload();
      built.tokens?.reload();
      front.reloadSecrets();
      reload.reload();
    },
    secretValues: () => secrets.values(),
    stop: () => {
      stopChecks();
      return stop(loaded.config, parts);
    },
  };
}

async function listen({ config, where }: Loaded, { management, front, stop }: Parts) {
  stop?.throwIfAborted();
  const explain = (error: unknown, section: 'server' | 'management') =>
    explainBindFailure(error, config[section], { host: where(`${section}.host`), port: where(`${section}.port`) });
  const { host, port } = config.management;
  const managementUrl = await management.listen(host, port).catch((error: unknown) => {
    throw explain(error, 'management');
  });
  const url = await front.listen().catch(async (error: unknown) => {
    await management.drain(0);
    throw explain(error, 'server');
  });
  return { managementUrl, url };
}

/** Time for probes and scrapes in flight to finish; they are quick. */
const managementDrainMs = 250;

async function stop(config: Config, parts: Parts): Promise<void> {
  const { emit, built, front, usage, management, health, reload } = parts;
  health.phase = 'draining';
  reload.close();
  built.recovery.close();
  emit('service.draining', {});
  management.startDraining();
  await Promise.all([front.drain(), refreshesEnd(config, parts)]);
  await management.drain(managementDrainMs);
  usage.close();
  await release(parts);
}

/** Waits for the process that refreshes tokens: the container's end would kill it. */
async function refreshesEnd({ server }: Config, { clock, built }: Parts): Promise<void> {
  if (built.tokens) await settlesWithin(clock, server.drainTimeoutMs, built.tokens.close());
}

/** Releases what was acquired before listening. */
async function release({ clock, emit, secrets, shared, storage, built }: Parts): Promise<void> {
  built.upstream.close();
  await storage.close();
  await shared.redis?.close();
  await flushSpans(clock);
  shared.keyRing?.close();
  secrets.close();
  emit('service.stopped', {});
}

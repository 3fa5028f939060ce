/**
 * Starts and stops a Sendgate once its parts are built.
 */
import type { Front } from '../app/front.ts';
import type { PageCache } from '../cache/page-cache.ts';
import { type Clock, settlesWithin } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';
import type { Server } from '../http/server.ts';
import type { Health } from '../observability/health.ts';
import type { Logger } from '../observability/log.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Status } from '../observability/status.ts';
import { flushSpans } from '../tracing.ts';
import type { Reload } from './reload.ts';
import type { SharedState } from './shared-state.ts';
import type { BuiltUpstream } from './upstream.ts';

interface Parts extends Pick<Service, 'log' | 'pages' | 'metrics' | 'status'> {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly version: string;
  readonly secrets: Secrets;
  readonly shared: SharedState;
  readonly built: BuiltUpstream;
  readonly front: Front;
  readonly management: Server;
  readonly health: Health;
  readonly reload: Reload;
}

/** A running Sendgate. */
export interface Service {
  readonly url: string;
  readonly managementUrl: string;
  readonly log: Logger;
  readonly pages: PageCache;
  readonly metrics: Metrics;
  status(): Status;
  /** Rereads mounted secrets and the configuration. */
  reload(): void;
  /** All values to redact. */
  secretValues(): readonly string[];
  /** Stops accepting, finishes requests in flight, closes idle connections. */
  stop(): Promise<void>;
}

/** Opens both listeners. Rejects when an address cannot be bound. */
export async function run(config: Config, parts: Parts): Promise<Service> {
  const { emit, version, secrets, shared, built, front, management, health, reload } = parts;
  const { log, pages, metrics, status } = parts;
  await shared.redis?.started();
  const managementUrl = await management.listen(config.management.host, config.management.port);
  const url = await front.listen().catch(async (error: unknown) => {
    await management.drain(0);
    throw error;
  });
  health.phase = 'ready';
  emit('service.listening', { url, managementUrl, version, node: process.version });
  return {
    ...{ url, managementUrl, log, pages, metrics, status },
    reload: () => {
      secrets.reload();
      built.tokens?.reload();
      front.reloadSecrets();
      reload.reload();
    },
    secretValues: () => secrets.values(),
    stop: () => stop(config, parts),
  };
}

/** Time for probes and scrapes in flight to finish; they are quick. */
const managementDrainMs = 250;

async function stop({ server }: Config, parts: Parts): Promise<void> {
  const { clock, emit, secrets, shared, built, front, management, health, reload } = parts;
  const { tokens, upstream } = built;
  health.phase = 'draining';
  reload.close();
  emit('service.draining', {});
  management.startDraining();
  // Wait for the process that refreshes tokens: the container's end would kill it.
  const refreshed = tokens && settlesWithin(clock, server.drainTimeoutMs, tokens.close());
  await Promise.all([front.drain(), refreshed]);
  await management.drain(managementDrainMs);
  upstream.close();
  await shared.redis?.close();
  await flushSpans(clock);
  shared.keyRing?.close();
  secrets.close();
  emit('service.stopped', {});
}

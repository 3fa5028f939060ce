/**
 * Connects to Redis: one server, a cluster, or the master that sentinels name.
 */
import { Redis as Client, type RedisOptions as ClientOptions, Cluster } from 'ioredis';
import type { RedisAddress } from '../config/redis-url.ts';

const reconnectMs = { first: 50, most: 500 };
/** A connection that leaves a command unanswered for this long is dead. */
const deadMs = 2_000;

/** Creates a client without an offline queue: a command that cannot be sent now fails at once. */
export function connect({ kind, nodes, tls, username, password, database, master }: RedisAddress): Client | Cluster {
  const options = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    protocol: 2 as const,
    connectTimeout: deadMs,
    socketTimeout: deadMs,
    // A connection that is given up is destroyed then, whether the server closes its side or not: only after that is there another.
    disconnectTimeout: 100,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // CLIENT SETINFO would need another permission.
    disableClientInfo: true,
    // After a failover the old master is a replica and rejects writes.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  } satisfies ClientOptions;
  const retryStrategy = (times: number) => Math.min(reconnectMs.first * times, reconnectMs.most);
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: deadMs,
      // Certificates name hosts, but a cluster may announce addresses.
      ...(tls
        ? { dnsLookup: (address: string, callback: (error: null, address: string) => void) => callback(null, address) }
        : {}),
    });
  }
  const [node] = nodes;
  const where =
    kind === 'sentinel'
      ? {
          sentinels: [...nodes],
          name: master ?? '',
          sentinelRetryStrategy: retryStrategy,
          // ioredis has separate TLS options for the sentinels and for the server they name.
          ...(tls ? { sentinelTLS: {} } : {}),
          enableTLSForSentinelMode: tls,
        }
      : { host: node?.host ?? '', port: node?.port ?? 0 };
  // Each beat checks readiness; ioredis' own check needs another permission.
  return new Client({
    ...options,
    ...where,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy,
    db: database,
  });
}

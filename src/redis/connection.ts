/**
 * A connection to Redis: to one server, a cluster, or the master that sentinels name.
 */
import { Redis as Client, type RedisOptions as ClientOptions, Cluster } from 'ioredis';
import type { RedisAddress } from '../config/redis-url.ts';

const reconnectMs = { first: 50, most: 500 };
/** A connection that leaves a question unanswered for this long is dead. */
const deadMs = 2_000;

/** A client without a queue: what cannot be asked now fails at once. */
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
    // It needs the permission for one more command.
    disableClientInfo: true,
    // After a failover the old master is a replica, and refuses what is written.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  } satisfies ClientOptions;
  const retryStrategy = (times: number) => Math.min(reconnectMs.first * times, reconnectMs.most);
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: deadMs,
      // Certificates are for names; a cluster may announce itself by addresses.
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
          // Two connections with separate options: to the sentinels, and to the server that they name.
          ...(tls ? { sentinelTLS: {} } : {}),
          enableTLSForSentinelMode: tls,
        }
      : { host: node?.host ?? '', port: node?.port ?? 0 };
  // Each beat shows whether Redis is ready; ioredis' own check needs one more permission.
  return new Client({
    ...options,
    ...where,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy,
    db: database,
  });
}

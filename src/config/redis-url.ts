/**
 * Where Redis is: `REDIS_URL` taken apart.
 */

export interface RedisAddress {
  readonly kind: 'server' | 'cluster' | 'sentinel';
  /** The server, or those of the cluster's nodes or of the sentinels by which the others are found. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** What the sentinels call the server. */
  readonly master: string | undefined;
}

export const redisUrlAllowed =
  'redis://[user:password@]host[:port][/database], redis://host:port,host:port,… for a cluster, or redis+sentinel://host:port,…/name; rediss: for TLS';

const shape =
  /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^:@/]*):(?<password>[^@/]*)@)?(?<nodes>[^/@?#]+)(?<path>\/[^?#]*)?$/;
const nodeShape = /^(?<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?$/i;
const ports = { server: 6379, cluster: 6379, sentinel: 26_379 };

/** Undefined when it is no such URL. */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const parts = shape.exec(url)?.groups;
  if (!parts) return undefined;
  const listed = (parts['nodes'] ?? '').split(',');
  const kind = (parts['kind'] as 'sentinel' | 'cluster' | undefined) ?? (listed.length > 1 ? 'cluster' : 'server');
  const nodes = listed.map((text) => {
    const node = nodeShape.exec(text)?.groups;
    return { host: (node?.['host'] ?? '').replace(/^\[|\]$/g, ''), port: Number(node?.['port'] ?? ports[kind]) };
  });
  if (nodes.some(({ host, port }) => host === '' || port < 1 || port > 65_535)) return undefined;

  const path = (parts['path'] ?? '').split('/').slice(1);
  const master = kind === 'sentinel' ? path.shift() : undefined;
  const [database = '', ...rest] = path;
  if (rest.length > 0 || !/^\d{0,4}$/.test(database) || (kind === 'sentinel' && !master)) return undefined;
  // A cluster has no databases.
  if (kind === 'cluster' && Number(database) > 0) return undefined;
  try {
    return {
      kind,
      nodes,
      tls: parts['tls'] === 's',
      username: decodeURIComponent(parts['user'] ?? '') || undefined,
      password: decodeURIComponent(parts['password'] ?? '') || undefined,
      database: Number(database),
      master: master === undefined ? undefined : decodeURIComponent(master),
    };
  } catch {
    return undefined;
  }
}

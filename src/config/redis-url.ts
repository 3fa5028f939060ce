/**
 * Parses `REDIS_URL`.
 */

export interface RedisAddress {
  readonly kind: 'server' | 'cluster' | 'sentinel';
  /** The server, some nodes of the cluster, or some of the sentinels. */
  readonly nodes: readonly RedisNode[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** The sentinels' name for the server. */
  readonly master: string | undefined;
}

interface RedisNode {
  readonly host: string;
  readonly port: number;
}

export const redisUrlAllowed =
  'redis://[user:password@]host[:port][/database], redis://host:port,host:port,… for a cluster, or redis+sentinel://host:port,…/name; rediss: for TLS; special characters of a password percent-encoded, e.g. @ as %40';

const shape =
  /^redis(?<tls>s?)(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<user>[^:@/]*):(?<password>[^@/]*)@)?(?<nodes>[^/@?#]+)(?<path>\/[^?#]*)?$/;
const nodeShape = /^(?<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?<port>\d{1,5}))?$/i;
const ports = { server: 6379, cluster: 6379, sentinel: 26_379 };

/** Parses the forms in `redisUrlAllowed`; undefined for any other. */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const parts = shape.exec(url)?.groups;
  if (!parts) return undefined;
  const listed = (parts['nodes'] ?? '').split(',');
  const kind = (parts['kind'] as 'sentinel' | 'cluster' | undefined) ?? (listed.length > 1 ? 'cluster' : 'server');
  const nodes = parseNodes(listed, ports[kind]);
  const path = parsePath(kind, parts['path'] ?? '');
  const username = decode(parts['user'] ?? '');
  const password = decode(parts['password'] ?? '');
  if (!nodes || !path || username === undefined || password === undefined) return undefined;
  return {
    ...{ kind, nodes, tls: parts['tls'] === 's' },
    ...{ username: username || undefined, password: password || undefined },
    ...path,
  };
}

function parseNodes(listed: readonly string[], defaultPort: number): readonly RedisNode[] | undefined {
  const nodes = listed.map((text) => {
    const node = nodeShape.exec(text)?.groups;
    return { host: (node?.['host'] ?? '').replace(/^\[|\]$/g, ''), port: Number(node?.['port'] ?? defaultPort) };
  });
  return nodes.some(({ host, port }) => host === '' || port < 1 || port > 65_535) ? undefined : nodes;
}

/** `/database`, or `/name[/database]` for sentinels. */
function parsePath(kind: RedisAddress['kind'], text: string): Pick<RedisAddress, 'database' | 'master'> | undefined {
  const path = text.split('/').slice(1);
  const name = kind === 'sentinel' ? path.shift() : undefined;
  const [database = '', ...rest] = path;
  if (rest.length > 0 || !/^\d{0,4}$/.test(database)) return undefined;
  // A cluster has no databases.
  if (kind === 'cluster' && Number(database) > 0) return undefined;
  const master = name === undefined ? undefined : decode(name);
  if (kind === 'sentinel' && !master) return undefined;
  return { database: Number(database), master };
}

/** Undefined for a text that is not valid percent-encoding. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

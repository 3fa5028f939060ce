/**
 * Every setting: its name, its default, its bounds and what it is for. `config/default.json`, `config/schema.json`
 * and the table in README are made from here (`npm run generate`).
 */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

const mebibyte = 1024 * 1024;

const integer = (minimum: number, maximum: number, preset: number, doc: string) =>
  z.int().min(minimum).max(maximum).default(preset).describe(doc);

const port = (preset: number, doc: string) => integer(0, 65_535, preset, doc);
const host = (doc: string) => z.string().min(1).max(255).default('127.0.0.1').describe(doc);

const hostName = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[a-z0-9.-]+)$/i, 'a host name or address without scheme and port, IPv6 in brackets');

const proxy = z
  .string()
  .refine((text) => isRange(text), 'an address, a CIDR range, or one of loopback, linklocal, uniquelocal');

const origin = z
  .string()
  .refine((text) => isOrigin(text), 'an exact origin: scheme, host and port, without a path, and no *');

const team = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][\w-]{0,31}$/i, '1 to 32 letters, digits, - and _')
    .refine((name) => name !== 'default', 'any name but default'),
  weight: z.number().min(0.01).max(1000).default(1),
  requestsPerMinute: z.int().min(1).max(1_000_000_000).optional(),
  callsPerDay: z.int().min(1).max(100_000_000).optional(),
  networks: z
    .array(z.string().refine((text) => isNetwork(text), 'an address or a CIDR range'))
    .max(1000)
    .default([]),
  header: z.strictObject({ name: z.string().regex(/^[\w-]{1,64}$/), value: z.string().min(1).max(256) }).optional(),
  tokensSha256: z
    .array(z.string().regex(/^[0-9a-f]{64}$/i, 'a SHA-256 digest of a token: 64 hex digits'))
    .max(100)
    .default([]),
});

export const schema = z.strictObject({
  server: z
    .strictObject({
      host: host('Address to listen on'),
      port: port(8080, 'Port to listen on; 0 takes a free one'),
      allowedHosts: z
        .array(hostName)
        .max(100)
        .default([])
        .describe(
          'Host names under which callers reach Sendgate. Loopback names are always among them; required when `server.host` is not loopback',
        ),
      basePath: z
        .string()
        .regex(/^(\/[\w.~-]+)*$/, 'empty, or segments like /ctct, without a slash at the end')
        .max(200)
        .default('')
        .describe('Prefix of all paths and links, e.g. `/ctct`'),
      trustProxy: z
        .array(proxy)
        .max(100)
        .default([])
        .describe(
          'Proxies whose `X-Forwarded-For` is believed: addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`',
        ),
      workers: integer(
        1,
        64,
        1,
        'Processes that answer callers, for machines with more cores; from 2 on there is one more behind them, which has the pages and asks Constant Contact',
      ),
      dropInV2: z
        .boolean()
        .default(false)
        .describe("Whether Constant Contact v2's own path is answered, for programs that were written for it"),
      headersTimeoutMs: integer(100, 600_000, 10_000, "Time for a request's headers to arrive"),
      requestTimeoutMs: integer(100, 600_000, 30_000, 'Time for a whole request to arrive'),
      keepAliveTimeoutMs: integer(
        100,
        3_600_000,
        75_000,
        'Idle time of a connection; longer than that of a balancer in front',
      ),
      drainTimeoutMs: integer(0, 600_000, 9_000, 'Time for requests in flight to finish after SIGTERM'),
      maxConnections: integer(
        1,
        1_000_000,
        10_000,
        'Connections open at the same time; one address (IPv6 /56) that is no trusted proxy holds at most a quarter',
      ),
    })
    .prefault({}),
  management: z
    .strictObject({
      host: host('Address of the management listener'),
      port: port(8081, 'Port of the management listener'),
    })
    .prefault({}),
  callers: z
    .strictObject({
      requestsPerMinute: integer(1, 1_000_000_000, 300, 'Requests a minute from one client (IPv4 address or IPv6 /56)'),
      required: z.boolean().default(false).describe('Whether callers that no team recognises are refused (401)'),
      cors: z
        .strictObject({
          origins: z
            .array(origin)
            .max(100)
            .default([])
            .describe('Origins whose web pages may ask, exactly, e.g. `https://dashboards.example.com`'),
        })
        .prefault({}),
      maxClients: integer(
        100,
        10_000_000,
        50_000,
        'Clients counted at the same time; past it the longest unseen is forgotten',
      ),
    })
    .prefault({}),
  cache: z
    .strictObject({
      maxBytes: integer(
        mebibyte,
        1024 ** 4,
        256 * mebibyte,
        'Bytes of all pages held, and of the answers made of them',
      ),
      minFreshSeconds: integer(
        1,
        86_400,
        60,
        'Shortest time for which a page is fresh; also the shortest between two calls for one page',
      ),
      maxFreshSeconds: integer(1, 31_536_000, 86_400, 'Longest time for which a page is fresh'),
      staleIfErrorSeconds: integer(
        0,
        31_536_000,
        604_800,
        'How long past its freshness a page is still served when there is no better one',
      ),
      readAheadPages: integer(0, 10, 1, 'Pages fetched ahead of a caller who walks; 0 turns it off'),
      notFoundSeconds: integer(
        1,
        86_400,
        60,
        'How long it is remembered that a campaign or cursor is unknown, or that a question alone fails',
      ),
      encryptionKeyFile: z
        .string()
        .max(4096)
        .default('')
        .describe(
          'File of the keys with which pages are encrypted in Redis, one a line, the one in use first; empty: they are not',
        ),
    })
    .prefault({}),
  constantContact: z
    .strictObject({
      api: z.enum(['v2', 'v3']).default('v2').describe('Version of the API: `v2`, or `v3`'),
      baseUrl: z
        .string()
        .max(500)
        .refine(
          (text) => text === '' || isBaseUrl(text),
          'an https: URL without path, query and credentials; http: for loopback only',
        )
        .default('')
        .describe('Where the API is; empty: `https://api.constantcontact.com` for v2, `https://api.cc.email` for v3'),
      oauth: z
        .strictObject({
          tokenUrl: z
            .string()
            .max(500)
            .refine(isTokenUrl, 'an https: URL without query and credentials; http: for loopback only')
            .default('https://authz.constantcontact.com/oauth2/default/v1/token')
            .describe('v3: where tokens are refreshed'),
          tokenFile: z
            .string()
            .max(4096)
            .default('')
            .describe('v3: file in which the tokens are kept, on a volume; required'),
        })
        .prefault({}),
      timeoutMs: integer(10, 300_000, 10_000, 'Time for one exchange'),
      deadlineMs: integer(10, 600_000, 20_000, 'Time for waiting, calling and calling again, together'),
      retries: integer(0, 5, 2, 'Calls after a first one that failed in a way that may pass'),
      retryPercent: integer(
        0,
        100,
        10,
        'Retries in a hundred calls, beyond the first ten; one client has half of those',
      ),
      breakerFailures: integer(
        1,
        10_000,
        10,
        'Calls in a row that have to fail until a probe decides whether the circuit opens',
      ),
      breakerProbeMs: integer(
        10,
        600_000,
        5_000,
        'Shortest time between two probes of whether Constant Contact is down',
      ),
      maxResponseBytes: integer(1024, 1024 ** 3, 8 * mebibyte, 'Bytes of one answer, decompressed'),
      credentialsRetrySeconds: integer(
        1,
        86_400,
        60,
        'Shortest time between two probes of whether the credentials are taken',
      ),
    })
    .prefault({}),
  teams: z
    .array(team)
    .max(100)
    .default([])
    .describe(
      'Who shares the quota: `[{"name", "weight", "requestsPerMinute", "callsPerDay", "networks", "header", "tokensSha256"}]`, JSON in the environment; the first that recognises a caller wins',
    ),
  quota: z
    .strictObject({
      perSecond: integer(1, 1000, 4, 'Calls that reach Constant Contact in any one second'),
      perDay: integer(1, 100_000_000, 10_000, 'Calls a day; the day is UTC'),
      reserve: integer(0, 100, 5, 'Percent of the day, its last calls, that only callers who wait may spend'),
      maxWaitMs: integer(0, 600_000, 8_000, 'Longest wait for a turn; who would wait longer is told at once'),
      maxQueue: integer(1, 100_000, 1_000, 'Calls of one team and urgency that wait at the same time'),
      stateFile: z
        .string()
        .max(4096)
        .default('')
        .describe(
          "File in which the day's count and, with v3, what campaign ids mean are kept over a restart; empty: nowhere",
        ),
    })
    .prefault({}),
  exports: z
    .strictObject({
      patienceSeconds: integer(
        1,
        86_400,
        120,
        'How long an export goes on without a page arriving, and any answer without its reader taking 240 bytes a second, before the connection is reset',
      ),
      perTeam: integer(
        1,
        1_000,
        4,
        'Exports of one team that run at the same time; from 2 on, the last one is kept for another client',
      ),
    })
    .prefault({}),
  redis: z
    .strictObject({
      timeoutMs: integer(1, 10_000, 50, 'Longest wait for Redis, before going on without it'),
      keyPrefix: z
        .string()
        .regex(/^[\w:.-]{0,64}$/, 'up to 64 letters, digits and :._-')
        .default('sendgate:')
        .describe('In front of all keys in Redis: one for each account that shares it'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default('info')
        .describe('Least level that is logged'),
    })
    .prefault({}),
});

export type Config = z.output<typeof schema>;

/** The loopback range, as names and addresses. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || (isIP(bare) === 4 && bare.startsWith('127.')) || bare === '::1';
}

function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.origin !== text) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

function isTokenUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, pathname } = new URL(text);
  return text === origin + pathname && isBaseUrl(origin);
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}

function isRange(text: string): boolean {
  return ['loopback', 'linklocal', 'uniquelocal'].includes(text) || isNetwork(text);
}

function isNetwork(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  const family = isIP(address);
  if (family === 0) return false;
  if (prefix === undefined) return true;
  // 0 would trust the whole world: anyone could then choose an address.
  if (!/^[1-9]\d{0,2}$/.test(prefix)) return false;
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}

/** Where the API is, by its version. */
export const baseUrls = { v2: 'https://api.constantcontact.com', v3: 'https://api.cc.email' } as const;

/** Rules that need more than one setting. Returns a message for each that is broken. */
export function contradictions(config: Config): string[] {
  const { server, cache, constantContact, callers, teams } = config;
  const found: string[] = [];
  if (!isLoopback(server.host) && server.allowedHosts.length === 0) {
    found.push(
      'server.allowedHosts: required when server.host is not loopback; allowed: the names that callers use, e.g. sendgate.example.com',
    );
  }
  if (cache.minFreshSeconds > cache.maxFreshSeconds) {
    found.push('cache.minFreshSeconds: is over cache.maxFreshSeconds; allowed: at most that');
  }
  if (constantContact.timeoutMs > constantContact.deadlineMs) {
    found.push('constantContact.timeoutMs: is over constantContact.deadlineMs; allowed: at most that');
  }
  if (constantContact.api === 'v3' && constantContact.oauth.tokenFile === '') {
    found.push(
      'constantContact.oauth.tokenFile (CONSTANT_CONTACT_TOKEN_FILE): is missing; allowed: a path that can be written and is kept over a restart',
    );
  }
  for (const [index, { name, networks, header, tokensSha256 }] of teams.entries()) {
    const at = `teams.${index}`;
    if (teams.findIndex((other) => other.name === name) !== index) {
      found.push(`${at}.name: is given twice; allowed: a name of its own`);
    }
    if (networks.length + tokensSha256.length === 0 && !header) {
      found.push(`${at}: recognises nobody; allowed: at least one of networks, header and tokensSha256`);
    }
    if (header && server.trustProxy.length === 0) {
      found.push(`${at}.header: means nothing without server.trustProxy; allowed: a header that a trusted proxy sets`);
    }
  }
  if (callers.required && teams.length === 0) {
    found.push('callers.required: refuses everybody while there are no teams; allowed: true together with teams');
  }
  return found;
}

/**
 * The answers of the version before, replayed: byte for byte the same, but for what `support/may-differ.ts` lists.
 *
 * `RECORD=1` records anew what is compared with afterwards. Do that on purpose: where answers are meant to change.
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ForwardClock } from './support/clock.ts';
import { type Environment, startInstance, startSandbox } from './support/harness.ts';
import { hasMoved, hasOtherBody, isNewResource } from './support/may-differ.ts';
import {
  bodyOf,
  differenceOf,
  digestOf,
  exchange,
  fieldOf,
  type Kept,
  keptOf,
  type Reply,
  readRecording,
  recordedSteps,
  type Step,
  writeRecording,
} from './support/recorded.ts';

const file = fileURLToPath(new URL('./recorded/answers.recording', import.meta.url));
const isRecording = process.env['RECORD'] === '1';

type Sandbox = Awaited<ReturnType<typeof startSandbox>>;
type SandboxOptions = NonNullable<Parameters<typeof startSandbox>[0]>;
type Campaign = Parameters<Sandbox['campaign']>[0];
type Fault = Parameters<Sandbox['fault']>[0];

const startMs = Date.parse('2026-11-28T12:00:00Z');

/** Time stands still between requests, and passes where a request says so. Timers are real ones. */
class StandingClock extends ForwardClock {
  #passedMs = 0;

  override now(): number {
    return startMs + this.#passedMs;
  }

  override monotonic(): number {
    return 1_000_000 + this.#passedMs;
  }

  override forward(seconds: number): void {
    this.#passedMs += seconds * 1000;
  }
}

type FromLast<T> = T | ((last: Reply) => T);

/** One request, or several that go out at once. */
interface Request {
  readonly title: string;
  readonly target?: FromLast<string>;
  readonly method?: string;
  readonly fields?: FromLast<readonly string[]>;
  readonly host?: string;
  /** What goes over the wire instead of all that. */
  readonly raw?: string;
  /** Methods of the requests in `raw`; one GET without it. */
  readonly methods?: readonly string[];
  readonly to?: 'management';
  readonly from?: string;
  /** Seconds that pass before it. */
  readonly forward?: number;
  readonly before?: (sandbox: Sandbox) => void;
}

interface Scene {
  readonly name: string;
  readonly version: 'v2' | 'v3';
  readonly env?: Environment;
  readonly sandbox?: SandboxOptions;
  readonly campaigns?: readonly Campaign[];
  readonly requests: readonly Request[];
  /** Waits for timeouts that are real: begins beside the others. */
  readonly isSlow?: boolean;
}

// ---------------------------------------------------------------- campaigns

const newestMs = Date.parse('2026-01-01T12:00:00Z');
const campaigns: readonly Campaign[] = [
  {
    id: '1100394165287',
    size: 3,
    newestMs: Date.parse('2012-12-06T13:06:14.762Z'),
    pageSize: 2,
    known: [
      { contactId: '21', email: 'abc@example.com', at: '2012-12-06T13:06:14.762Z' },
      { contactId: '20', email: 'def@example.com', at: '2012-12-06T13:06:14.754Z' },
    ],
  },
  { id: '5', size: 1234, newestMs },
  { id: '6', size: 0, newestMs },
  { id: '7', size: 3, newestMs: startMs },
  { id: '8', size: 25, newestMs, pageSize: 10, order: 'oldest-first' },
  { id: '9', size: 12, newestMs, pageSize: 5, cursors: 'opaque', links: 'absolute' },
  { id: '10', size: 12, newestMs, pageSize: 5, cursors: 'time', zoneless: true },
  { id: '11', size: 12, newestMs, pageSize: 5, cursors: 'long', links: 'query', numericIds: true },
  { id: '12', size: 12, newestMs, pageSize: 5, cursors: 'opaque-form', links: 'other-path', lastPage: 'null' },
  {
    id: '13',
    size: 14,
    newestMs,
    odd: {
      0: 'no-address',
      1: 'null-contact',
      2: 'numeric-contact',
      3: 'empty-date',
      4: 'text-date',
      5: 'null-campaign',
      6: 'numeric-date',
      7: 'no-type',
      8: 'empty-address',
    },
  },
  { id: '14', size: 2, newestMs: startMs - 1_800_000 },
  { id: '15', size: 4, newestMs: startMs - 86_400_000, pageSize: 2, cursors: 'opaque-raw' },
];

/** The id of the campaign's activity in v3, as the sandbox makes it. */
function activityOf(id: string): string {
  const hex = createHash('sha256').update(`activity ${id}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const idIn = (version: 'v2' | 'v3') => (id: string) => (version === 'v3' ? activityOf(id) : id);

// ---------------------------------------------------------------- requests, by theme

const get = (title: string, target: string, ...fields: string[]): Request => ({ title, target, fields });

/** The same with GET and HEAD. */
const bothMethods = (requests: readonly Request[]): Request[] =>
  requests.flatMap((request) =>
    ['GET', 'HEAD'].map((method) => ({ ...request, method, title: `${request.title}, ${method}` })),
  );

const encodings = [
  'gzip',
  'br',
  'gzip, br',
  'br;q=0.5, gzip;q=1',
  'identity',
  '*',
  'identity;q=0',
  '*;q=0',
  'deflate',
  'gzip;q=0, br;q=0',
  'GZIP',
  '',
];

const encoded = (target: string): Request[] =>
  bothMethods(
    encodings.map((value) => get(`Accept-Encoding: ${value || '(empty)'}`, target, `Accept-Encoding: ${value}`)),
  );

/** Each after a plain GET, out of whose answer the validators come. */
const conditional = (target: string): Request[] =>
  bothMethods([
    { title: 'If-None-Match, the same', target, fields: (last) => [`If-None-Match: ${fieldOf(last, 'etag')}`] },
    {
      title: 'If-None-Match, as a strong one',
      target,
      fields: (last) => [`If-None-Match: ${fieldOf(last, 'etag').replace('W/', '')}`],
    },
    {
      title: 'If-None-Match, in a list',
      target,
      fields: (last) => [`If-None-Match: "a", ${fieldOf(last, 'etag')}, W/"b"`],
    },
    get('If-None-Match, any', target, 'If-None-Match: *'),
    get('If-None-Match, another', target, 'If-None-Match: W/"another"'),
    get('If-None-Match, no tag', target, 'If-None-Match: another'),
    {
      title: 'If-None-Match, the same, with br',
      target,
      fields: (last) => [`If-None-Match: ${fieldOf(last, 'etag')}`, 'Accept-Encoding: br'],
    },
    {
      title: 'If-None-Match, the same, but no-cache',
      target,
      fields: (last) => [`If-None-Match: ${fieldOf(last, 'etag')}`, 'Cache-Control: no-cache'],
    },
    get('If-Modified-Since, long ago', target, 'If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT'),
    get('If-Modified-Since, later', target, 'If-Modified-Since: Fri, 27 Nov 2026 00:00:00 GMT'),
    get('If-Modified-Since, no date', target, 'If-Modified-Since: yesterday'),
    get(
      'If-None-Match, another, beside If-Modified-Since, later',
      target,
      'If-None-Match: W/"another"',
      'If-Modified-Since: Fri, 27 Nov 2026 00:00:00 GMT',
    ),
  ]).flatMap((request, index) =>
    typeof request.fields === 'function' && index > 0
      ? [get(`before ${request.title}`, target), request]
      : index === 0
        ? [get('before the conditional ones', target), request]
        : [request],
  );

const accepted = (target: string, types: readonly string[]): Request[] =>
  types.map((type) => get(`Accept: ${type || '(empty)'}, ${target}`, target, `Accept: ${type}`));

const mistakes = [
  'limit=0',
  'limit=501',
  'limit=-1',
  'limit=1.5',
  'limit=abc',
  'limit=',
  'limit=1&limit=2',
  'limit=1e2',
  'limit=%2010',
  'created_since=yesterday',
  'created_since=2012-02-30',
  'created_since=2012-12-06T13:06:14',
  'created_since=',
  'created_since=2012-12-06&created_since=2012-12-06',
  'created_since=2012-13-01T00:00:00Z',
  'next=',
  'next=%00',
  'next=a%0D%0Ab',
  `next=${'a'.repeat(2_049)}`,
  'next=%E2%82%AC',
  'api_key=5ecret',
  'access_token=5ecret',
  'client_secret=5ecret&token=5ecret',
  'Authorization=5ecret',
  'page=2',
  'LIMIT=2',
  '%3Cscript%3E=1',
  '__proto__=1&constructor=2',
  'a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10&k=11&l=12',
  '=',
  'limit',
];

const mistaken = (target: string, searches = mistakes): Request[] =>
  searches.map((search) => get(`?${search.slice(0, 60)}, ${target}`, `${target}?${search}`));

const ids = [
  '0',
  '00005',
  '123456789012345678901',
  'abc',
  '5a',
  '-5',
  '%35',
  '5%20',
  '%2e%2e',
  '',
  '%zz',
  '5;6',
  '٥',
  '5,6',
];

const badIds = (tail: string): Request[] =>
  ids.map((id) => get(`id ${id || '(empty)'}${tail}`, `/campaigns/${Buffer.from(id).toString('latin1')}${tail}`));

const methods = ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'HEAD'];

const otherMethods = (targets: readonly string[]): Request[] =>
  targets.flatMap((target) => methods.map((method) => ({ title: `${method} ${target}`, target, method })));

const instants = [
  '2026-01-01',
  '2026-01-01T11:59:30Z',
  '2026-01-01T11:59:30.000Z',
  '2026-01-01T12:59:30+01:00',
  '2026-01-01T12:59:30%2B01:00',
  '2026-01-01T06:59:30-05:00',
  '2026-01-01t11:59:30z',
  '2026-01-01T11:59Z',
  '2026-01-01T11:59:30.123456Z',
  '2027-01-01',
  '1999-12-31T23:59:59Z',
];

const since = (target: string): Request[] =>
  instants.map((instant) => get(`created_since=${instant}, ${target}`, `${target}?created_since=${instant}`));

const sized = (target: string): Request[] =>
  ['1', '2', '3', '007', '250', '499', '500'].map((limit) => get(`limit=${limit}`, `${target}?limit=${limit}`));

/** The target of the next page, out of the page before. */
function nextOf(last: Reply): string {
  const link = JSON.parse(bodyOf(last).toString()).meta?.pagination?.next_link;
  if (typeof link !== 'string') throw new Error(`no next_link in ${last.head[0]}`);
  return link;
}

/** A first page, and as many later ones. */
const walk = (target: string, later: number, ...fields: string[]): Request[] => [
  get(`a walk of ${target}`, target, ...fields),
  ...Array.from({ length: later }, (_, index) => ({
    title: `a walk of ${target}, later page ${index + 1}`,
    target: nextOf,
    fields,
  })),
];

const exported = (ids: readonly string[]): Request[] =>
  ids.flatMap((id) =>
    ['csv', 'ndjson'].flatMap((format) => [
      ...bothMethods([get(`export ${id}.${format}`, `/campaigns/${id}/sends.${format}`)]),
      get(
        `export ${id}.${format} from an instant`,
        `/campaigns/${id}/sends.${format}?created_since=2026-01-01T11:59:00%2B00:00`,
        'Accept-Encoding: gzip, br',
      ),
    ]),
  );

const unknownPaths = [
  '/nothing',
  '/campaigns',
  '/campaigns/',
  '/campaigns/5',
  '/campaigns/5/',
  '/campaigns/5/Sends',
  '/campaigns/5/sends/',
  '/campaigns/5/sends/1',
  '/campaigns/5/sends.xml',
  '/CAMPAIGNS/5/sends',
  '//campaigns/5/sends',
  '/campaigns//sends',
  '/campaigns/../campaigns/5/sends',
  '/campaigns/5/sends?limit=1#fragment',
  '/campaigns/5/sends%3Flimit=1',
  '/metrics',
  '/readyz',
  '/purge?everything',
  '/favicon.ico',
  '/status/',
  '/problems',
  '/problems/',
  '/problems/nothing',
  '/assets/client/nothing.js',
  '/v2/emailmarketing/campaigns/5/tracking/sends',
  '/%',
  '/?q=1',
  '*',
];

/** What a caller knows of freshness, and what it may ask for. `7` is fresh for a minute. */
const freshness = (id: (id: string) => string): Request[] => {
  const target = `/campaigns/${id('7')}/sends`;
  return [
    get('a miss', target),
    get('a hit', target),
    { ...get('a hit, 20 s old', target), forward: 20 },
    { ...get('a hit, 59 s old', target), forward: 39 },
    { ...get('stale, refreshed behind', target), forward: 2 },
    get('fresh again', target),
    { ...get('no-cache, at once', target, 'Cache-Control: no-cache'), forward: 1 },
    { ...get('no-cache, a minute later', target, 'Cache-Control: no-cache'), forward: 60 },
    { ...get('max-age=0', target, 'Cache-Control: max-age=0'), forward: 61 },
    { ...get('max-age=30, younger', target, 'Cache-Control: max-age=30'), forward: 10 },
    { ...get('max-age=5, older, asked just now', target, 'Cache-Control: max-age=5'), forward: 10 },
    get('max-age that is no number', target, 'Cache-Control: max-age=abc'),
    get('max-age twice', target, 'Cache-Control: max-age=1000, max-age=0'),
    get('no-store', target, 'Cache-Control: no-store'),
    get('only-if-cached', target, 'Cache-Control: only-if-cached'),
    get('Pragma', target, 'Pragma: no-cache'),
    get('max-stale', target, 'Cache-Control: max-stale=10'),
    {
      ...get('new sends, and stale', target),
      forward: 100,
      before: (sandbox) => sandbox.addSends('7', 2),
    },
    get('the new sends', target),
    { ...get('HEAD, a day later', target), method: 'HEAD', forward: 86_400 },
    get('after HEAD', target),
    {
      ...get('stale while the upstream fails', target),
      forward: 7_200,
      before: (sandbox) => sandbox.fault({ kind: 'malformed', campaign: '7' }),
    },
    get('stale, with the failure seen', target),
    { ...get('stale, a minute later', target), forward: 61 },
    { ...get('stale, no-cache', target, 'Cache-Control: no-cache'), forward: 61 },
    { ...get('gone after staleIfError', target), forward: 700_000 },
    { ...get('healed', target), forward: 61, before: (sandbox) => sandbox.heal() },
    get('an hour half old', `/campaigns/${id('14')}/sends`),
    { ...get('an hour half old, 179 s later', `/campaigns/${id('14')}/sends`), forward: 179 },
  ];
};

const changed = (id: (id: string) => string): Request[] => [
  ...walk(`/campaigns/${id('15')}/sends`, 1),
  {
    ...get('a first page that has changed', `/campaigns/${id('15')}/sends`, 'Cache-Control: no-cache'),
    forward: 61,
    before: (sandbox) => sandbox.addSends('15', 1),
  },
  { title: 'the later page of the changed walk', target: nextOf },
];

const unknown = (ids: readonly string[]): Request[] =>
  ids.flatMap((id) => [
    get(`unknown ${id}`, `/campaigns/${id}/sends`),
    { ...get(`unknown ${id}, remembered`, `/campaigns/${id}/sends`), forward: 10 },
    get(`unknown ${id}, as an export`, `/campaigns/${id}/sends.csv`),
    get(`unknown ${id}, its summary`, `/campaigns/${id}/sends/summary`),
    get(`unknown ${id}, its summary again`, `/campaigns/${id}/sends/summary`),
  ]);

const requestIds = (target: string): Request[] =>
  [
    'abcdefgh',
    'A.b-c_d.12345678',
    'short',
    'with space here',
    'a'.repeat(64),
    'a'.repeat(65),
    'quote"quote"',
    '',
  ].flatMap((id) => [
    get(`X-Request-Id: ${id || '(empty)'}`, target, `X-Request-Id: ${id}`),
    get(`X-Request-Id: ${id || '(empty)'}, an error`, '/nothing', `x-request-id: ${id}`),
  ]);

const summaries = (ids: readonly string[]): Request[] =>
  ids.flatMap((id) => {
    const target = `/campaigns/${id}/sends/summary`;
    return [
      get(`summary ${id}`, target),
      get(`summary ${id}, gzip`, target, 'Accept-Encoding: gzip'),
      { ...get(`summary ${id}, HEAD`, target), method: 'HEAD' },
      {
        title: `summary ${id}, If-None-Match`,
        target,
        fields: (last: Reply) => [`If-None-Match: ${fieldOf(last, 'etag') || '"none"'}`],
      },
      get(`summary ${id}, a parameter`, `${target}?limit=1`),
    ];
  });

const wire = (line: string, ...fields: string[]) => [line, ...fields, '', ''].join('\r\n');
const page = '/campaigns/5/sends?limit=2';
const big = Array.from({ length: 210 }, (_, index) => `X-${index}: 1`);

/** What no HTTP library would send. */
const malformed: readonly Request[] = (
  [
    ['no HTTP', 'hello\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.0 with a host', wire(`GET ${page} HTTP/1.0`, 'Host: localhost')],
    ['HTTP/1.0 without a host', wire(`GET ${page} HTTP/1.0`)],
    ['HTTP/1.0 that keeps alive', wire(`GET ${page} HTTP/1.0`, 'Host: localhost', 'Connection: keep-alive')],
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['HTTP/3.0', wire(`GET ${page} HTTP/3.0`, 'Host: localhost')],
    ['no Host', wire(`GET ${page} HTTP/1.1`)],
    ['two Hosts', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Host: localhost')],
    ['an empty Host', wire(`GET ${page} HTTP/1.1`, 'Host: ')],
    ['a header without a colon', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'nonsense')],
    ['a space before the colon', wire(`GET ${page} HTTP/1.1`, 'Host : localhost')],
    ['a folded header', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'X-A: 1', '  2')],
    ['a NUL in a header', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'X-A: \0')],
    ['a bare LF', `GET ${page} HTTP/1.1\nHost: localhost\n\n`],
    ['a space in the target', wire('GET /campaigns/5 /sends HTTP/1.1', 'Host: localhost')],
    ['bytes over 127 in the target', wire('GET /campaigns/\xe4/sends HTTP/1.1', 'Host: localhost')],
    ['an unknown method', wire(`FETCH ${page} HTTP/1.1`, 'Host: localhost')],
    ['a method in lower case', wire(`get ${page} HTTP/1.1`, 'Host: localhost')],
    ['an absolute target', wire(`GET http://localhost${page} HTTP/1.1`, 'Host: localhost')],
    ['an absolute target of another host', wire(`GET http://evil.example${page} HTTP/1.1`, 'Host: localhost')],
    ['CONNECT', wire('CONNECT localhost:443 HTTP/1.1', 'Host: localhost')],
    ['Upgrade', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket')],
    ['Upgrade to h2c', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade', 'Upgrade: h2c')],
    ['an expectation', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Expect: something')],
    ['an expectation on an unknown path', wire('GET /nothing HTTP/1.1', 'Host: localhost', 'Expect: something')],
    ['200 headers too many', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', ...big)],
    ['headers too large', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', `X-A: ${'a'.repeat(17_000)}`)],
    ['a target too long', wire(`GET /${'a'.repeat(17_000)} HTTP/1.1`, 'Host: localhost')],
    ['two lengths', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Content-Length: 1', 'Content-Length: 2')],
    ['a negative length', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Content-Length: -1')],
    [
      'a length beside chunks',
      wire(`POST ${page} HTTP/1.1`, 'Host: localhost', 'Content-Length: 3', 'Transfer-Encoding: chunked'),
    ],
    ['an unknown transfer coding', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Transfer-Encoding: gzip')],
    ['Connection: close', wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Connection: close')],
    ['Connection: close, an error', wire('GET /nothing HTTP/1.1', 'Host: localhost', 'Connection: close')],
    ['a body of GET', `${wire(`GET ${page} HTTP/1.1`, 'Host: localhost', 'Content-Length: 3')}abc`],
    ['an empty line in front', `\r\n${wire(`GET ${page} HTTP/1.1`, 'Host: localhost')}`],
  ] as const
).map(([title, raw]) => ({ title, raw }));

const pipelined = (target: string, head: string): Request[] => {
  const one = (method: string, path: string, ...fields: string[]) =>
    wire(`${method} ${path} HTTP/1.1`, 'Host: localhost', ...fields);
  return [
    {
      title: 'three hits at once',
      raw: one('GET', target).repeat(3),
      methods: ['GET', 'GET', 'GET'],
    },
    {
      title: 'a hit, HEAD, an error, a hit in br, a status at once',
      raw:
        one('GET', target) +
        one('HEAD', target) +
        one('GET', '/nothing') +
        one('GET', target, 'Accept-Encoding: br') +
        one('OPTIONS', target),
      methods: ['GET', 'HEAD', 'GET', 'GET', 'OPTIONS'],
    },
    {
      title: 'a hit behind an export',
      raw: one('GET', head) + one('GET', target),
      methods: ['GET', 'GET'],
    },
    {
      title: 'no HTTP behind an error',
      raw: `${one('GET', '/nothing')}hello\r\n\r\n`,
      methods: ['GET', 'GET'],
    },
    {
      title: 'a POST with a body, and a hit',
      raw: `${one('POST', target, 'Content-Length: 3')}abc${one('GET', target)}`,
      methods: ['POST', 'GET'],
    },
    {
      title: 'the last one closes',
      raw: one('GET', target) + one('GET', target, 'Connection: close') + one('GET', target),
      methods: ['GET', 'GET'],
    },
    {
      title: '100-continue',
      raw: `${one('POST', target, 'Content-Length: 3', 'Expect: 100-continue')}abc`,
      methods: ['POST'],
    },
  ];
};

const hosts = [
  'localhost',
  'LOCALHOST:8080',
  '127.0.0.1',
  '127.0.0.1:1',
  '[::1]:8080',
  'Sendgate.Example.com:443',
  'evil.example',
  'localhost.evil.example',
  'sendgate.example.com.',
  '10.0.0.1',
  'localhost:80:80',
  'user@localhost',
];

const hosted = (target: string, to?: 'management'): Request[] =>
  hosts.map((host) => ({ title: `Host: ${host}, ${target}`, target, host, ...(to && { to }) }));

const problems = [
  'invalid-request',
  'malformed-request',
  'invalid-cursor',
  'unauthorized',
  'origin-not-allowed',
  'not-found',
  'campaign-not-found',
  'method-not-allowed',
  'not-acceptable',
  'request-timeout',
  'expectation-failed',
  'misdirected-request',
  'rate-limited',
  'headers-too-large',
  'internal-error',
  'upstream-credentials-refused',
  'upstream-gone',
  'upstream-failed',
  'upstream-busy',
  'upstream-quota-exhausted',
  'upstream-timeout',
];

const site = (basePath = ''): Request[] => [
  ...['/', '/docs', '/openapi.json', '/assets/client/client.js'].flatMap((path) => {
    const target = `${basePath}${path}`;
    return [
      get(`${target}, in br`, target, 'Accept-Encoding: br'),
      ...bothMethods([get(target, target)]),
      {
        title: `${target}, If-None-Match`,
        target,
        fields: (last: Reply) => [`If-None-Match: ${fieldOf(last, 'etag')}`],
      },
      { ...get(`${target}, POST`, target), method: 'POST' },
      get(`${target}, for images only`, target, 'Accept: image/png'),
    ];
  }),
  ...problems.map((code) => get(`the page of ${code}`, `${basePath}/problems/${code}`)),
];

const operated = (...paths: string[]): Request[] =>
  paths.flatMap((target) =>
    ['GET', 'HEAD'].map((method) => ({ title: `management ${method} ${target}`, target, method, to: 'management' })),
  );

const management = (id: string): Request[] => {
  const order = (title: string, target: string, ...fields: string[]): Request => ({
    ...get(title, target, ...fields),
    method: 'POST',
    to: 'management',
  });
  const target = `/campaigns/${id}/sends`;
  return [
    ...operated('/livez', '/readyz', '/status', '/metrics', '/', '/nothing', '/purge', '/readyz?verbose'),
    ...['POST', 'DELETE', 'OPTIONS'].map((method) => ({
      title: `management ${method} /readyz`,
      target: '/readyz',
      method,
      to: 'management' as const,
    })),
    ...hosted('/livez', 'management'),
    get('held before the purge', target),
    order('purge one', `/purge?campaign=${id}`),
    get('a miss after the purge', target),
    order('purge of nothing', '/purge?campaign=999'),
    order('purge everything', '/purge?everything'),
    get('a miss after the purge of everything', target),
    order('purge of what is no id', '/purge?campaign=abc'),
    order('purge of no campaign', '/purge?campaign='),
    order('purge of both', `/purge?campaign=${id}&everything`),
    order('purge without saying what', '/purge'),
    order('purge with an unknown parameter', '/purge?what'),
    order('purge by a web page', '/purge?everything', 'Origin: https://evil.example'),
    order('purge by a web page of the same site', '/purge?everything', 'Sec-Fetch-Site: same-site'),
    { title: 'management, no HTTP', raw: 'hello\r\n\r\n', to: 'management' },
    { title: 'management, no Host', raw: wire('GET /livez HTTP/1.1'), to: 'management' },
    {
      title: 'management, an expectation',
      raw: wire('GET /livez HTTP/1.1', 'Host: localhost', 'Expect: something'),
      to: 'management',
    },
    {
      title: 'management, headers too large',
      raw: wire('GET /livez HTTP/1.1', 'Host: localhost', `X-A: ${'a'.repeat(17_000)}`),
      to: 'management',
    },
  ];
};

const status = (...fields: string[]): Request[] => [
  get('/status', '/status', ...fields),
  { ...get('/status, HEAD', '/status', ...fields), method: 'HEAD' },
  get('/status in br', '/status', 'Accept-Encoding: br', ...fields),
  get('/status with a parameter', '/status?a=1', ...fields),
  get('/status as a text', '/status', 'Accept: text/plain', ...fields),
];

/** The contract, as it is with either version. */
function contract(version: 'v2' | 'v3'): readonly Request[] {
  const id = idIn(version);
  const target = `/campaigns/${id('5')}/sends`;
  return [
    get('the first request', target),
    get('the second request', target),
    ...encoded(target),
    ...encoded(`/campaigns/${id('7')}/sends`),
    ...conditional(target),
    get('an empty campaign', `/campaigns/${id('6')}/sends`),
    ...conditional(`/campaigns/${id('6')}/sends`),
    get('odd rows', `/campaigns/${id('13')}/sends`),
    ...accepted(target, [
      'application/json',
      '*/*',
      'application/*',
      'text/html',
      'text/html, */*;q=0.1',
      'application/json;q=0',
      '',
    ]),
    ...accepted(`/campaigns/${id('5')}/sends.csv?created_since=2026-01-01`, ['text/csv', 'application/json', 'text/*']),
    ...accepted(`/campaigns/${id('5')}/sends.ndjson?created_since=2026-01-01`, ['application/x-ndjson', 'text/csv']),
    ...mistaken(target),
    ...mistaken(`/campaigns/${id('5')}/sends.csv`, mistakes.slice(9, 12).concat('limit=1', 'next=a', 'api_key=5ecret')),
    ...badIds('/sends'),
    ...badIds('/sends.ndjson').slice(0, 5),
    ...badIds('/sends/summary').slice(0, 5),
    ...otherMethods([
      target,
      `/campaigns/${id('5')}/sends.csv`,
      `/campaigns/${id('5')}/sends/summary`,
      '/status',
      '/nothing',
    ]),
    ...since(target),
    ...sized(target),
    ...walk(`/campaigns/${id('1100394165287')}/sends`, 1),
    ...walk(`/campaigns/${id('5')}/sends?limit=400`, 3, 'Accept-Encoding: gzip'),
    ...walk(`/campaigns/${id('5')}/sends?limit=20&created_since=2026-01-01T11:59:00Z`, 2),
    ...['8', '9', '10', '11', '12'].flatMap((one) => walk(`/campaigns/${id(one)}/sends`, 2)),
    get('a cursor of nothing', `${target}?next=nonsense`),
    get('a cursor of nothing, remembered', `${target}?next=nonsense`),
    get('a cursor beside a limit', `${target}?limit=3&next=${'b'.repeat(2_048)}`),
    ...exported([id('1100394165287'), id('5'), id('6'), id('13'), id('9')]),
    ...unknown([id('404'), id('405')]),
    ...requestIds(target),
    ...summaries([id('5'), id('6'), id('1100394165287')]),
    ...unknownPaths.map((path) => get(`unknown path ${path}`, path)),
    ...freshness(id),
    ...changed(id),
    ...pipelined(target, `/campaigns/${id('1100394165287')}/sends.csv`),
    ...status(),
    ...management(id('5')),
  ];
}

const uuid5 = activityOf('5');
const digits: readonly Request[] = [
  ...['1100394165287', '5', '00005', '6', '404', '13'].map((id) =>
    get(`v2's id ${id}`, `/campaigns/${id}/sends?limit=3`),
  ),
  get("v2's id 5 in br", '/campaigns/5/sends', 'Accept-Encoding: br'),
  get('the id in capitals', `/campaigns/${uuid5.toUpperCase()}/sends?limit=3`),
  get('the id without its hyphens', `/campaigns/${uuid5.replaceAll('-', '')}/sends`),
  ...walk('/campaigns/8/sends', 2),
  ...walk('/campaigns/8/sends?created_since=2026-01-01T11:59:40Z', 0),
  get("an export by v2's id", '/campaigns/8/sends.csv'),
  ...summaries(['8', '5', '404']),
  ...operated('/metrics', '/status'),
];

// ---------------------------------------------------------------- who asks

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const teams = [
  { name: 'web', networks: ['10.1.0.0/16', '2001:db8::/32'], requestsPerMinute: 3 },
  { name: 'bi', header: { name: 'X-Team', value: 'bi' }, weight: 2 },
  { name: 'jobs', tokensSha256: [sha256('token-of-jobs')], callsPerDay: 500 },
];
const teamEnv = { SENDGATE_TEAMS: JSON.stringify(teams), SENDGATE_SERVER_TRUST_PROXY: 'loopback' };
const token = 'Authorization: Bearer token-of-jobs';

const known: readonly (readonly string[])[] = [
  [],
  [token],
  ['authorization: bearer token-of-jobs'],
  ['Authorization: Bearer token-of-nobody'],
  ['Authorization: Basic token-of-jobs'],
  ['Authorization: Bearer'],
  ['X-Team: bi'],
  ['X-Team: BI'],
  ['X-Team: bi', token],
  ['X-Forwarded-For: 10.1.2.3'],
  ['X-Forwarded-For: 10.2.0.1'],
  ['X-Forwarded-For: 2001:db8::1'],
  ['X-Forwarded-For: 10.1.2.3, 10.2.0.1'],
  ['X-Forwarded-For: nonsense'],
  ['Forwarded: for=10.1.2.3'],
];

const asTeams: readonly Request[] = [
  '/campaigns/5/sends?limit=2',
  '/nothing',
  '/campaigns/5/sends.csv?created_since=2027-01-01',
  '/status',
  '/docs',
].flatMap((target) => known.map((fields) => get(`${fields.join(' | ') || 'nobody'}, ${target}`, target, ...fields)));

const limited: readonly Request[] = [
  ...Array.from({ length: 5 }, (_, index) => get(`request ${index + 1} of 3`, '/campaigns/5/sends?limit=2')),
  get('over the limit, an unknown path', '/nothing'),
  get('over the limit, an export', '/campaigns/5/sends.csv'),
  { ...get('over the limit, HEAD', '/campaigns/5/sends'), method: 'HEAD' },
  { ...get('over the limit, POST', '/campaigns/5/sends'), method: 'POST' },
  get('over the limit, a page for people', '/docs'),
  get('over the limit, the status', '/status'),
  { ...get('another client', '/campaigns/5/sends?limit=2'), from: '127.0.0.9' },
  { ...get('20 s later', '/campaigns/5/sends'), forward: 20 },
  { ...get('another client, 20 s later', '/campaigns/5/sends?limit=2'), from: '127.0.0.9' },
  { ...get('a minute later', '/campaigns/5/sends?limit=2'), forward: 40 },
  { ...get('a new minute', '/campaigns/5/sends?limit=2'), forward: 61 },
];

const listed = 'https://dashboards.example.com';
const browsers: readonly (readonly string[])[] = [
  [],
  [`Origin: ${listed}`],
  [`Origin: ${listed}`, 'Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: cors'],
  ['Origin: http://localhost:3000'],
  ['Origin: http://localhost'],
  ['Origin: https://evil.example'],
  ['Origin: null'],
  [`Origin: ${listed}.evil.example`],
  ['Sec-Fetch-Site: same-site'],
  ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'],
  ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'],
  ['Sec-Fetch-Site: same-origin'],
  ['Sec-Fetch-Site: none', 'Sec-Fetch-Mode: navigate'],
];

const inBrowsers: readonly Request[] = [
  '/campaigns/5/sends?limit=2',
  '/campaigns/5/sends?limit=0',
  '/nothing',
  '/campaigns/5/sends.ndjson?created_since=2027-01-01',
  '/campaigns/5/sends/summary',
  '/status',
  '/',
  '/openapi.json',
].flatMap((target) =>
  browsers.map((fields) => get(`${fields.join(' | ') || 'no browser'}, ${target}`, target, ...fields)),
);

const preflights: readonly Request[] = [
  ...[listed, 'https://evil.example', 'null'].flatMap((origin) =>
    ['/campaigns/5/sends', '/nothing', '/status', '/'].map((target) => ({
      ...get(
        `preflight of ${origin}, ${target}`,
        target,
        `Origin: ${origin}`,
        'Access-Control-Request-Method: GET',
        'Access-Control-Request-Headers: if-none-match',
      ),
      method: 'OPTIONS',
    })),
  ),
  { ...get('a preflight of nothing', '/campaigns/5/sends', `Origin: ${listed}`), method: 'OPTIONS' },
  {
    ...get(
      'a preflight to another host',
      '/campaigns/5/sends',
      `Origin: ${listed}`,
      'Access-Control-Request-Method: GET',
    ),
    method: 'OPTIONS',
    host: 'evil.example',
  },
  {
    ...get('a preflight of POST', '/campaigns/5/sends', `Origin: ${listed}`, 'Access-Control-Request-Method: POST'),
    method: 'OPTIONS',
  },
];

// ---------------------------------------------------------------- v2's own path

const dropIn = '/v2/emailmarketing/campaigns/5/tracking/sends';
const callers = ['Authorization: Bearer callers-token-1'];
const forged = (instant: string, cursor: string) => Buffer.from(`sendgate ${instant} ${cursor}`).toString('base64url');

const dropIns: readonly Request[] = [
  ...walk('/v2/emailmarketing/campaigns/1100394165287/tracking/sends?api_key=theirs', 1, ...callers),
  ...walk(`${dropIn}?limit=10&created_since=2026-01-01T11:59:30&api_key=theirs`, 2, ...callers),
  ...walk('/v2/emailmarketing/campaigns/9/tracking/sends', 2, ...callers),
  ...encoded(`${dropIn}?limit=20`).slice(0, 8),
  ...conditional(`${dropIn}?limit=20`).slice(0, 12),
  ...[
    'limit=0',
    'next=nonsense',
    `next=${forged('yesterday', 'c3RhcnRBdD0zJmxpbWl0PTI')}`,
    `next=${forged('2020-01-01T00:00:00Z', 'c3RhcnRBdD0zJmxpbWl0PTI')}`,
    `next=${forged('2020-01-01T00:00:00.000Z', 'c3RhcnRBdD0zJmxpbWl0PTI')}`,
    'next=',
    'created_since=yesterday',
    'created_since=2026-01-01T11:59:30.500000',
    'created_since=2026-01-01T11:59',
    'client_secret=x',
    'page=2&limit=501',
    'access_token=theirs&api_key=theirs',
    'limit=7&limit=8',
  ].map((search) => get(`v2's ?${search}`, `${dropIn}?${search}`, ...callers)),
  ...otherMethods([dropIn]),
  ...accepted(dropIn, ['text/xml', 'application/json', '*/*']),
  ...unknown(['404']).slice(0, 2),
  get("v2's unknown campaign", '/v2/emailmarketing/campaigns/404/tracking/sends', ...callers),
  get("v2's id that is none", '/v2/emailmarketing/campaigns/abc/tracking/sends', ...callers),
  get("v2's summary", '/v2/emailmarketing/campaigns/5/tracking/reports/summary', ...callers),
  get("v2's list", '/v2/emailmarketing/campaigns', ...callers),
  get("v2's path by a web page", dropIn, 'Origin: https://evil.example'),
  { ...get("v2's path at another host", dropIn), host: 'evil.example' },
  {
    title: "v2's path with an expectation",
    raw: wire(`GET ${dropIn} HTTP/1.1`, 'Host: localhost', 'Expect: something'),
  },
  { title: "v2's path, malformed", raw: wire(`GET ${dropIn} HTTP/1.1`) },
];

// ---------------------------------------------------------------- what goes wrong upstream

/** Asks for campaigns that nobody has asked for yet, while a fault lasts. */
function failing(version: 'v2' | 'v3'): readonly Request[] {
  const id = idIn(version);
  let next = 100;
  const during = (fault: Fault, search = '', tail = '/sends', seconds = 70): Request[] => {
    const name = String(next++);
    const target = `/campaigns/${id(name)}${tail}${search}`;
    const title = `${Object.values(fault).join(' ')}${tail}${search}`;
    return [
      {
        ...get(title, target),
        forward: seconds,
        before: (sandbox) => {
          sandbox.heal();
          sandbox.campaign({ id: name, size: 10, newestMs });
          sandbox.fault(fault);
        },
      },
      get(`${title}, asked again`, target),
      { ...get(`${title}, healed`, target), forward: seconds, before: (sandbox) => sandbox.heal() },
    ];
  };
  return [
    ...during({ kind: 'status', status: 400 }, `?next=${version === 'v2' ? 'b2xk' : 'bmV4dD1vbGQ'}`),
    ...during({ kind: 'status', status: 400 }),
    ...during({ kind: 'status', status: 404 }),
    ...during({ kind: 'status', status: 406 }),
    ...during({ kind: 'status', status: 500, path: 'sends' }),
    ...during({ kind: 'status', status: 503, path: 'sends' }),
    ...during({ kind: 'status', status: 503, path: 'sends', retryAfter: '30' }),
    ...during({ kind: 'status', status: 429, path: 'sends', retryAfter: '45' }),
    ...during({ kind: 'html', path: 'sends' }),
    ...during({ kind: 'echo', path: 'sends' }),
    ...during({ kind: 'malformed' }),
    ...during({ kind: 'wrong-schema' }),
    ...during({ kind: 'empty' }),
    ...during({ kind: 'redirect' }),
    ...during({ kind: 'oversize' }),
    ...during({ kind: 'reset', path: 'sends' }),
    ...during({ kind: 'reset-mid-body', path: 'sends' }),
    ...during({ kind: 'firewall', path: 'sends' }),
    ...during({ kind: 'malformed' }, '', '/sends.csv'),
    ...during({ kind: 'status', status: 404 }, '', '/sends.ndjson'),
    ...during({ kind: 'malformed' }, '', '/sends/summary'),
    ...during({ kind: 'status', status: 404 }, '', '/sends/summary'),
    ...during({ kind: 'hang', path: 'sends' }),
    ...during({ kind: 'hang-mid-body', path: 'sends' }),
    ...during({ kind: 'gone' }, '', '/sends', 3_700),
    ...operated('/readyz'),
    ...during({ kind: 'status', status: 401 }),
    ...during({ kind: 'status', status: 403 }, '', '/sends/summary'),
    {
      ...get('refused for all', `/campaigns/${id('5')}/sends`),
      forward: 70,
      before: (sandbox) => {
        sandbox.heal();
        sandbox.fault({ kind: 'status', status: 401 });
      },
    },
    ...operated('/readyz', '/status'),
    ...during({ kind: 'over-ratelimit' }, '', '/sends', 3_700).slice(0, 2),
    ...operated('/readyz', '/status', '/metrics'),
    get('the status while the quota is spent', '/status'),
    get('the description while the quota is spent', '/openapi.json'),
  ];
}

/** Sendgate's own count of the day. */
const spent: readonly Request[] = [
  ...['5', '6', '7', '8'].map((id) => get(`call for ${id}`, `/campaigns/${id}/sends`)),
  ...['9', '10', '11', '12', '13'].map((id) => get(`call for ${id}`, `/campaigns/${id}/sends`)),
  get('a hit of a day that is spent', '/campaigns/5/sends'),
  get('an export of a day that is spent', '/campaigns/13/sends.csv'),
  get('a summary of a day that is spent', '/campaigns/13/sends/summary'),
  ...status(),
  ...operated('/readyz', '/status'),
  { ...get('stale, of a day that is spent', '/campaigns/7/sends'), forward: 3_600 },
  { ...get('the next day', '/campaigns/13/sends'), forward: 43_200 },
];

// ---------------------------------------------------------------- scenes

const base = '/ctct';
const scenes: readonly Scene[] = [
  { name: 'v2', version: 'v2', campaigns, requests: contract('v2') },
  { name: 'v3', version: 'v3', campaigns, requests: contract('v3') },
  { name: 'v3, by ids of v2', version: 'v3', campaigns, requests: digits },
  { name: 'malformed', version: 'v2', campaigns, requests: malformed },
  {
    name: 'hosts and the site',
    version: 'v2',
    campaigns,
    env: { SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' },
    requests: [...hosted('/campaigns/5/sends?limit=2'), ...hosted('/docs'), ...site()],
  },
  {
    name: 'a base path',
    version: 'v2',
    campaigns,
    env: { SENDGATE_SERVER_BASE_PATH: base },
    requests: [
      ...walk(`${base}/campaigns/8/sends`, 2),
      get('a mistake', `${base}/campaigns/8/sends?limit=0`),
      get('an export', `${base}/campaigns/8/sends.csv`),
      get('a summary', `${base}/campaigns/8/sends/summary`),
      get('the status', `${base}/status`),
      ...['', '/', '/campaigns/8/sends', '/status', '/openapi.json', '/ctctx/', `${base}x`, '/CTCT/'].map((path) =>
        get(`without the base path: ${path}`, path || '/'),
      ),
      { ...get('POST', `${base}/campaigns/8/sends`), method: 'POST' },
      ...site(base).slice(0, 30),
    ],
  },
  { name: 'teams', version: 'v2', campaigns, env: teamEnv, requests: [...asTeams, ...operated('/status', '/metrics')] },
  {
    name: 'teams are required',
    version: 'v2',
    campaigns,
    env: { ...teamEnv, SENDGATE_CALLERS_REQUIRED: 'true', SENDGATE_CALLERS_CORS_ORIGINS: listed },
    requests: [
      ...asTeams,
      get('of a listed origin, unknown', '/campaigns/5/sends', `Origin: ${listed}`),
      get('of a listed origin, known', '/campaigns/5/sends', `Origin: ${listed}`, token),
      get('of another origin, known', '/campaigns/5/sends', 'Origin: https://evil.example', token),
      ...preflights.slice(0, 4),
      ...walk('/campaigns/8/sends', 2, token),
    ],
  },
  {
    name: 'a limit of requests',
    version: 'v2',
    campaigns,
    env: { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '3' },
    requests: limited,
  },
  {
    name: 'web pages of listed origins',
    version: 'v2',
    campaigns,
    env: { SENDGATE_CALLERS_CORS_ORIGINS: `${listed},http://localhost:3000` },
    requests: [...inBrowsers, ...preflights],
  },
  { name: 'web pages of no origin', version: 'v2', campaigns, requests: [...inBrowsers.slice(0, 26), ...preflights] },
  {
    name: "v2's path before v2",
    version: 'v2',
    campaigns,
    env: { SENDGATE_SERVER_DROP_IN_V2: 'true' },
    requests: dropIns,
  },
  {
    name: "v2's path before v3",
    version: 'v3',
    campaigns,
    env: { SENDGATE_SERVER_DROP_IN_V2: 'true' },
    requests: dropIns,
  },
  ...(['v2', 'v3'] as const).map((version) => ({
    name: `faults of ${version}`,
    isSlow: true,
    version,
    campaigns,
    env: {
      SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '600',
      SENDGATE_CONSTANT_CONTACT_MAX_RESPONSE_BYTES: '1048576',
      SENDGATE_CONSTANT_CONTACT_BREAKER_FAILURES: '10000',
      SENDGATE_CONSTANT_CONTACT_RETRIES: '1',
      SENDGATE_CONSTANT_CONTACT_RETRY_PERCENT: '100',
    },
    requests: failing(version),
  })),
  ...(['v2', 'v3'] as const).map((version) => ({
    name: `pages that are read ahead, with ${version}`,
    isSlow: true,
    version,
    campaigns,
    env: { SENDGATE_CACHE_READ_AHEAD_PAGES: '1' },
    requests: [
      ...walk(`/campaigns/${idIn(version)('8')}/sends`, 2),
      ...walk(`/campaigns/${idIn(version)('5')}/sends?limit=400`, 3, 'Accept-Encoding: br'),
      ...status(),
    ],
  })),
  {
    name: 'a day that is spent',
    version: 'v2',
    campaigns,
    env: { SENDGATE_QUOTA_PER_DAY: '8', SENDGATE_QUOTA_RESERVE: '0' },
    requests: spent,
  },
];

// ---------------------------------------------------------------- replaying

/** Turns of the event loop without a new call, an answer or a token after which nothing goes on. */
const quietRounds = 3;
/** The same where something may begin behind the answer: compressing, which it waits for, takes its time on a busy machine. */
const behindRounds = 100;
/** The same where calls have no answer, and will get none: those of faults. */
const hungRounds = 40;

/** Waits until nothing goes on upstream, such as a refresh behind an answer, or a page read ahead. */
function settler(sandbox: Sandbox): (rounds?: number) => Promise<void> {
  let hung = 0;
  const open = () => sandbox.calls.filter(({ status }) => status === undefined).length;
  const reading = () => `${sandbox.callCount} ${open()} ${sandbox.tokenCallCount} ${sandbox.tokenCallsRunning}`;
  return async (rounds = quietRounds) => {
    let last = reading();
    for (
      let quiet = 0;
      quiet < (open() > hung || sandbox.tokenCallsRunning > 0 ? Math.max(hungRounds, rounds) : rounds);
    ) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      for (let turns = 0; turns < 4; turns++) await new Promise((resolve) => setImmediate(resolve));
      const now = reading();
      quiet = now === last ? quiet + 1 : 0;
      last = now;
    }
    hung = open();
  };
}

async function play({ version, env, sandbox: options, campaigns = [], requests }: Scene): Promise<readonly Step[]> {
  const clock = new StandingClock();
  const sandbox = await startSandbox({ clock, ...options });
  for (const campaign of campaigns) sandbox.campaign(campaign);
  const readsAhead = env?.['SENDGATE_CACHE_READ_AHEAD_PAGES'] !== undefined;
  const sendgate = await startInstance(sandbox, clock, { SENDGATE_CACHE_READ_AHEAD_PAGES: '0', ...env }, version);
  const settle = settler(sandbox);
  const clients = new Map<string, number>();
  const numberOf = (key: string) => {
    if (!clients.has(key)) clients.set(key, clients.size + 1);
    return clients.get(key) as number;
  };
  const steps: Step[] = [];
  let last: Reply | undefined;
  const given = <T>(value: FromLast<T>): T =>
    typeof value === 'function' ? (value as (last: Reply) => T)(last as Reply) : value;
  try {
    await settle();
    for (const request of requests) {
      const { title, method = 'GET', host = 'localhost', raw, methods = [method], to, from, forward, before } = request;
      before?.(sandbox);
      if (forward !== undefined) clock.forward(forward);
      let sent = raw ?? '';
      let replies: readonly Reply[] = [];
      let failure = '';
      let target = '';
      try {
        target = given(request.target ?? '');
        const fields = given(request.fields ?? []);
        sent = raw ?? wire(`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields);
        const url = to === 'management' ? sendgate.service.managementUrl : sendgate.url;
        const callsBefore = sandbox.callCount;
        replies = await exchange({ url, bytes: sent, methods, from });
        // A page that is stale is refreshed behind its answer, and the one after a page is read ahead.
        const isRefreshed = replies.some((reply) => /ttl=-/.test(fieldOf(reply, 'cache-status')));
        const isReadAhead = readsAhead && replies.some((reply) => fieldOf(reply, 'link') !== '');
        if (isRefreshed || isReadAhead) await settle(behindRounds);
        else if (sandbox.callCount !== callsBefore) await settle();
      } catch (error) {
        failure = String(error);
      }
      const answers = failure
        ? [{ head: [failure], body: '' }]
        : replies.map((reply) => keptOf(reply, target, replies.length > 1, numberOf));
      steps.push({ title, sent, answers });
      last = replies.at(-1) ?? last;
    }
  } finally {
    await sendgate.close();
    await sandbox.stop();
  }
  return steps;
}

const recorded = new Map<string, readonly Step[]>();
/** Differences shown for one scene: after the first ones, the others often follow. */
const maxTold = 10;

describe('answers are those of the version before', () => {
  const begun = new Map<Scene, Promise<readonly Step[]>>();
  beforeAll(() => {
    for (const scene of scenes.filter(({ isSlow }) => isSlow)) {
      const playing = play(scene);
      playing.catch(() => {}); // Its test tells.
      begun.set(scene, playing);
    }
  });

  test.each(scenes)('$name', async (scene) => {
    const steps = await (begun.get(scene) ?? play(scene));
    if (isRecording) {
      recorded.set(scene.name, steps);
      return;
    }
    const before = recordedSteps(readRecording(file), scene.name);
    const differences: string[] = [];
    let isBehindSummary = false;
    for (const [index, { title, sent, answers }] of steps.entries()) {
      const was = before[index];
      const where = `request ${index + 1}, ${JSON.stringify(title)}`;
      if (was?.title !== title) {
        differences.push(`${where}: the recording has ${JSON.stringify(was?.title)} there; record anew on purpose`);
        break;
      }
      if (was.digest !== digestOf(sent))
        differences.push(`${where}: other bytes were sent (${JSON.stringify(sent.slice(0, 200))})`);
      const target = sent.split(' ')[1] ?? '';
      if (isNewResource(target)) continue;
      if (hasMoved({ target, status: answers[0]?.head[0] })) {
        isBehindSummary ||= was.answers[0]?.head[0] === 'HTTP/1.1 200 OK';
        const [, path = ''] = /^(.+)\/sends\/summary$/.exec(target) ?? [];
        const canonical = path.toLowerCase().replace(/\/0+(?=\d+$)/, '/');
        expect(answers[0]?.head).toContain(`Location: ${canonical}/summary`);
        continue;
      }
      const compared = ({ head, body }: Kept): Kept => ({
        head,
        body: hasOtherBody(target, isBehindSummary) ? '<not compared>' : body,
      });
      const difference = differenceOf(was.answers.map(compared), answers.map(compared));
      if (difference !== undefined) differences.push(`${where}: ${difference}`);
    }
    if (before.length > steps.length)
      differences.push(`${before.length - steps.length} recorded requests were not sent`);
    expect(differences.slice(0, maxTold)).toEqual([]);
  });

  test('there are at least 500', () => {
    expect(scenes.flatMap(({ requests }) => requests).length).toBeGreaterThanOrEqual(500);
  });
});

afterAll(() => {
  if (isRecording && recorded.size === scenes.length) writeRecording(file, recorded);
});

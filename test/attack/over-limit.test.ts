/**
 * A client over its limit costs only a refusal, whatever it sends: before the limit, only the caller is identified.
 */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ask } from '../support/ask.ts';
import { type Environment, type Harness, start, targetOf, until } from '../support/harness.ts';
import { dial, statusesIn, wire } from '../support/raw.ts';

const path = targetOf('/campaigns/1/sends');
const dropInPath = path.replace('/campaigns/', '/v2/emailmarketing/campaigns/').replace('/sends', '/tracking/sends');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
/** Nearly the longest headers allowed. */
const long = (piece: string) => piece.repeat(Math.ceil(15_000 / piece.length)).slice(0, 15_000);

let it: Harness;
async function up(env: Environment) {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
}
afterEach(() => it.close());

const to = (target: string, headers: Record<string, string> = {}, method?: string) =>
  ask(`${it.url}${target}`, headers, method);
const left = ({ headers }: { headers: Readonly<Record<string, string | undefined>> }) =>
  Number(/r=(\d+)/.exec(headers['ratelimit'] ?? '')?.[1]);

describe('over the limit', () => {
  const dear: [string, string, Record<string, string>, string?][] = [
    ['a hit', path, {}],
    ['a HEAD', path, {}, 'HEAD'],
    ['an OPTIONS', path, {}, 'OPTIONS'],
    ['a POST', path, {}, 'POST'],
    ['an Accept that takes nothing', path, { accept: 'text/csv' }],
    ['an Accept of 15 KB', path, { accept: long('text/a;q=0.1,') }],
    ['an Accept-Encoding of 15 KB', path, { 'accept-encoding': long('br;q=0.1,') }],
    ['an X-Forwarded-For of 15 KB', path, { 'x-forwarded-for': long('127.0.0.1,') }],
    ['a query that is not valid', `${path}?limit=0`, {}],
    ['a query of 15 KB', `${path}?${long('a&')}`, {}],
    ['a path that cannot be decoded', '/campaigns/%E0%A4%A/sends', {}],
    ['a path that there is not', '/nothing/here', {}],
    ['an export', `${path}.csv`, { accept: 'image/png' }],
    ['a summary', `${path}/summary`, {}],
    ['the status', '/status', {}],
    ["v2's path with a query of 15 KB", `${dropInPath}?${long('a&')}`, {}],
  ];

  test('every request is refused, uncounted, and causes no call', async () => {
    await up({
      SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '2',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
      SENDGATE_SERVER_DROP_IN_V2: 'true',
    });
    // A chain of trusted proxies ends at the peer: it is one client with and without it.
    for (const headers of [{}, { 'x-forwarded-for': '127.0.0.1' }]) expect((await to(path, headers)).status).toBe(200);
    const calls = it.sandbox.callCount;
    const peer = { 'x-forwarded-for': 'unknown' };
    for (const [what, target, headers, method] of dear) {
      const refused = await to(target, { ...peer, ...headers }, method);
      expect([what, refused.status]).toEqual([what, 429]);
    }
    expect(it.sandbox.callCount).toBe(calls);
    expect((await to(path)).headers).toMatchObject({ 'retry-after': expect.stringMatching(/^(60|59|58)$/) });
    it.clock.forward(60);
    expect(left(await to(path))).toBe(1);
  });

  test('a refused request is logged with its team and without a route', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1' });
    await to(path);
    await to(`${path}?limit=0`);
    await until(() => it.lines.some((line) => line.includes('"status":429')), 'the refusal is logged');
    const line = it.lines.find((text) => text.includes('"status":429')) ?? '';
    expect(JSON.parse(line)).toMatchObject({ problem: 'rate-limited', team: 'default', route: '(none)' });
  });
});

test('every admitted request is counted once: hits, misses, problems and errors', async () => {
  await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000', SENDGATE_SERVER_DROP_IN_V2: 'true' });
  let expected = 1000;
  const kinds: [string, Record<string, string>?, string?][] = [
    [path],
    [path],
    [path, {}, 'HEAD'],
    [path, { accept: 'text/csv' }],
    [path, { 'if-none-match': '*' }],
    [`${path}?limit=0`],
    ['/nothing'],
    [path, {}, 'OPTIONS'],
    [path, {}, 'POST'],
    [`${path}.csv`],
    [`${path}/summary`],
    ['/status'],
    [`${dropInPath}?api_key=x`],
  ];
  for (const [target, headers, method] of kinds) {
    expect([target, method, left(await to(target, headers, method))]).toEqual([target, method, --expected]);
  }
});

test('pipelined requests are counted one by one', async () => {
  await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '5' });
  const { hostname, port } = new URL(it.url);
  const socket = connect(Number(port), hostname);
  const one = (n: number, last: boolean) =>
    `GET ${path}?created_since=2012-01-0${n} HTTP/1.1\r\nHost: localhost\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
  socket.write(Array.from({ length: 9 }, (_, n) => one(n + 1, n === 8)).join(''));
  let text = '';
  for await (const part of socket) text += part.toString('latin1');
  const statuses = (text.match(/HTTP\/1\.1 \d+/g) ?? []).map((line) => line.slice(-3));
  expect(statuses).toEqual([...Array(5).fill('200'), ...Array(4).fill('429')]);
});

describe('wrong tokens', () => {
  const teams = [
    { name: 'web', networks: ['10.1.0.0/16'], requestsPerMinute: 1_000_000 },
    { name: 'jobs', tokensSha256: [sha256('token-of-jobs')] },
    { name: 'etl', tokensSha256: [sha256('token-of-etl')], requestsPerMinute: 1_000 },
  ];
  const env = {
    SENDGATE_TEAMS: JSON.stringify(teams),
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '3',
  };
  const from = (address: string, token?: string) => ({
    'x-forwarded-for': address,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  });
  const statuses = async (address: string, ...tokens: (string | undefined)[]) => {
    const given = [];
    for (const token of tokens) given.push((await to(path, from(address, token))).status);
    return given;
  };

  test.each(['true', 'false'])('are limited by address where callers.required is %s', async (required) => {
    await up({ ...env, SENDGATE_CALLERS_REQUIRED: required });
    const answer = required === 'true' ? 401 : 200;
    expect(await statuses('10.9.0.1', 'a', 'b', 'c', 'd', 'e')).toEqual([answer, answer, answer, 429, 429]);
    // The valid token from that address, and wrong ones from others, are still served.
    expect(await statuses('10.9.0.1', 'token-of-jobs', 'token-of-etl')).toEqual([200, 200]);
    expect(await statuses('10.9.0.2', 'f')).toEqual([answer]);
    it.clock.forward(60);
    expect(await statuses('10.9.0.1', 'a')).toEqual([answer]);
  });

  test('are limited even where the network alone would be recognised', async () => {
    await up(env);
    expect(await statuses('10.1.0.1', 'a', 'b', 'c', 'd')).toEqual([200, 200, 200, 429]);
    expect(await statuses('10.1.0.1', undefined, 'token-of-jobs', undefined)).toEqual([200, 200, 200]);
  });

  test('and missing tokens, where one is required, are limited too', async () => {
    await up({ ...env, SENDGATE_CALLERS_REQUIRED: 'true' });
    expect(await statuses('10.9.0.1', undefined, undefined, undefined, undefined)).toEqual([401, 401, 401, 429]);
    expect(it.sandbox.callCount).toBe(0);
  });

  test('a valid token is not counted as wrong although another team matches first', async () => {
    await up({ ...env, SENDGATE_TEAMS: JSON.stringify([...teams, { name: 'late', tokensSha256: [sha256('x')] }]) });
    const { headers } = await to(path, from('10.1.0.1', 'x'));
    expect(headers['ratelimit']).toMatch(/^"web"/);
    expect(await statuses('10.1.0.1', 'x', 'x', 'x', 'x')).toEqual([200, 200, 200, 200]);
  });

  test("do not include tokens that v2's programs send to Constant Contact, on v2's path only", async () => {
    await up({ ...env, SENDGATE_SERVER_DROP_IN_V2: 'true', SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000' });
    const dropIn = await to(dropInPath, from('10.1.0.1', 'token-of-jobs'));
    expect(dropIn.headers['ratelimit']).toMatch(/^"web"/);
    expect((await to(dropInPath, from('10.9.0.1', 'token-of-jobs'))).headers['ratelimit']).toMatch(/^"jobs"/);
    expect((await to(dropInPath, from('10.9.0.1', 'a-guess'))).headers['ratelimit']).toMatch(/^"default"; r=999;/);
    // It counts for its team, and not again as a wrong token.
    expect((await to(dropInPath, from('10.1.0.1', 'a-guess'))).headers['ratelimit']).toMatch(/^"web"/);
    expect((await to(dropInPath, from('10.1.0.1'))).headers['ratelimit']).toMatch(/^"web"/);
    expect((await to(path, from('10.9.0.1'))).headers['ratelimit']).toMatch(/^"default"; r=998;/);
    const inQuery = await to(
      `${path}?x=/v2/emailmarketing/campaigns/1/tracking/sends`,
      from('10.9.0.1', 'token-of-jobs'),
    );
    expect([inQuery.status, inQuery.headers['ratelimit']]).toEqual([400, expect.stringMatching(/^"jobs"/)]);
  });
});

describe("the site's pages", () => {
  /** Many requests at once, on one connection. */
  async function flood(target: string, count: number): Promise<void> {
    const { hostname, port } = new URL(it.url);
    const request = (field: string) => `HEAD ${target} HTTP/1.1\r\nHost: localhost\r\n${field}\r\n`;
    // A hundred requests may queue on one connection.
    for (let left = count; left > 0; left -= 100) {
      const socket = connect(Number(port), hostname);
      socket.end(`${request('').repeat(Math.min(left, 100) - 1)}${request('Connection: close\r\n')}`);
      for await (const _ of socket);
    }
  }

  test.each(['', '/ctct'])('are limited by address, apart from the resources, below %j', async (basePath) => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '3', SENDGATE_SERVER_BASE_PATH: basePath });
    const pages = ['/', '/docs', '/problems/rate-limited', '/openapi.json', '/assets/site/browser/site.css'];
    let expected = 3_000;
    for (const page of pages) {
      const answer = await to(`${basePath}${page}`, { 'sec-fetch-site': 'cross-site' });
      expect([page, answer.status, answer.headers['ratelimit']]).toEqual([
        ...[page, 200, expect.stringMatching(`^"\\(site\\)"; r=${--expected};`)],
      ]);
    }
    await flood(`${basePath}/problems/none`, expected);
    for (const page of [...pages, '/problems/none']) {
      expect((await to(`${basePath}${page}`, { 'accept-encoding': long('br;q=0.1,') })).status).toBe(429);
    }
    expect(left(await to(`${basePath}${path}`))).toBe(2);
  });

  test('cannot be used to get around the guards', async () => {
    await up({ SENDGATE_TEAMS: '[{"name":"web","networks":["10.1.0.0/16"]}]', SENDGATE_CALLERS_REQUIRED: 'true' });
    const ways = [
      ...['/problems/..%2Fcampaigns', '/problems/x/../../campaigns', '/assets/client/../../..', '/docs/..'].map(
        (way) => `${way}${path.replace('/campaigns', '')}`,
      ),
      ...[`/docs${path}`, `//docs/..${path}`, `/docs\\..\\..${path}`, `/#${path}`, `/docs;${path}`, `/.${path}`],
    ];
    for (const way of ways) {
      for (const target of [way, `${it.url}${way}`]) {
        const { hostname, port } = new URL(it.url);
        const socket = connect(Number(port), hostname);
        socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        let text = '';
        for await (const part of socket) text += part.toString('latin1');
        expect([way, text]).toEqual([way, expect.not.stringContaining('"results"')]);
      }
    }
    expect(it.sandbox.callCount).toBe(0);
  });
});

describe('a remembered caller of a connection', () => {
  /** Responses to requests with the same headers on one connection. */
  async function onOneConnection(lines: readonly string[], fields: readonly string[]): Promise<string[]> {
    const { hostname, port } = new URL(it.url);
    const socket = connect(Number(port), hostname);
    for (const line of lines) socket.write(`${line} HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`);
    let text = '';
    for await (const part of socket) {
      text += part.toString('latin1');
      if (text.split('X-Request-Id: ').length > lines.length) socket.end();
    }
    return text.split(/(?=HTTP\/1\.1 \d)/);
  }

  test('is not reused for a preflight with the same headers', async () => {
    await up({ SENDGATE_CALLERS_CORS_ORIGINS: 'https://a.example' });
    const fields = ['Host: localhost', 'Origin: https://a.example', 'Access-Control-Request-Method: GET'];
    const [read, preflight] = await onOneConnection([`GET ${path}`, `OPTIONS ${path}`], fields);
    expect(read).toMatch(/^HTTP\/1\.1 200 /);
    expect(preflight).toMatch(/^HTTP\/1\.1 204 [\s\S]*Access-Control-Allow-Methods: GET, HEAD/);
  });

  test("is not reused for a request whose token was stripped on v2's path", async () => {
    await up({
      SENDGATE_TEAMS: JSON.stringify([{ name: 'jobs', tokensSha256: [sha256('token-of-jobs')] }]),
      SENDGATE_SERVER_DROP_IN_V2: 'true',
    });
    const fields = ['Host: localhost', 'Authorization: Bearer token-of-jobs'];
    const answers = await onOneConnection([`GET ${dropInPath}`, `GET ${path}`, `GET ${dropInPath}`], fields);
    const teams = answers.map((answer) => /RateLimit: "(\w+)"/.exec(answer)?.[1]);
    expect(teams).toEqual(['jobs', 'jobs', 'jobs']);
  });
});

test('overlong Accept headers are ignored, short ones are not', async () => {
  await up({});
  expect((await to(path, { accept: long('text/a;q=0.1,') })).status).toBe(200);
  expect((await to(path, { accept: 'text/a;q=0.1,'.repeat(50) })).status).toBe(406);
  expect((await to(path, { 'accept-encoding': `${long('a,')}br` })).headers['content-encoding']).toBeUndefined();
  expect((await to(path, { 'accept-encoding': `${'a,'.repeat(200)}br` })).headers['content-encoding']).toBe('br');
});

test('a host in the target takes precedence over the Host header', async () => {
  await up({});
  const { socket, closed } = await dial(it.url);
  for (const target of [path, `http://evil.example${path}`, `http://localhost:1${path}`]) socket.write(wire(target));
  socket.write(wire(path, ['Connection: close']));
  expect(statusesIn(await closed)).toEqual([200, 421, 200, 200]);
});

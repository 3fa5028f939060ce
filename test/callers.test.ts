/**
 * Which callers are admitted, from where, and how often.
 */
import { createHash } from 'node:crypto';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import { Addresses } from '../src/callers/address.ts';
import { clientOf } from '../src/callers/rate-limit/client-key.ts';
import { Limiter } from '../src/callers/rate-limit/limiter.ts';
import { defaultTeam } from '../src/callers/teams.ts';
import { systemClock } from '../src/clock.ts';
import { ask as askForBody } from './support/ask.ts';
import { FakeClock } from './support/clock.ts';
import { api, type Environment, type Harness, start, until } from './support/harness.ts';

const path = '/campaigns/1/sends';
let it: Harness;
let clock: FakeClock;

async function up(env: Environment) {
  // A clock that stands still: responses are compared to the second.
  clock = new FakeClock(Date.now());
  it = await start(env, {}, api, clock);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
}
afterEach(() => it.close());

/** fetch sets Host and Origin itself, so this is done by hand. */
function ask(headers: Record<string, string> = {}, base = it.url, target = path, method = 'GET', agent?: Agent) {
  return new Promise<{ status: number; headers: Record<string, string | undefined> }>((resolve, reject) => {
    const { hostname, port } = new URL(base);
    request({ hostname, port, path: target, method, headers, agent }, (res) => {
      res
        .resume()
        .on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers as Record<string, string> }));
    })
      .on('error', reject)
      .end();
  });
}

describe('the Host', () => {
  test.each([
    'localhost',
    'LOCALHOST:8080',
    '127.0.0.1',
    '127.0.0.1:1',
    '[::1]',
    '[::1]:8080',
    'Sendgate.Example.com:443',
  ])('%s is served', async (host) => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' });
    expect((await ask({ host })).status).toBe(200);
  });

  test.each([
    'evil.example',
    'localhost.evil.example',
    'evil.example:8080',
    'sendgate.example.com.',
    '10.0.0.1',
    'localhost:80:80',
  ])('%j gets 421 without a call', async (host) => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' });
    expect((await ask({ host })).status).toBe(421);
    expect(it.sandbox.callCount).toBe(0);
  });

  test('of the management listener may be any address or an allowed name, and nothing else', async () => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' });
    const status = async (host: string, target = '/livez') =>
      (await ask({ host }, it.service.managementUrl, target)).status;
    expect(await status('10.1.2.3:8081')).toBe(200);
    expect(await status('[fd00::1]:8081')).toBe(200);
    expect(await status('localhost')).toBe(200);
    expect(await status('sendgate.example.com')).toBe(200);
    expect(await status('evil.example', '/metrics')).toBe(421);
    // An operator who sets up Prometheus sees no more than this.
    const { body } = await askForBody(`${it.service.managementUrl}/metrics`, { host: 'evil.example' });
    expect(body).toContain('server.allowedHosts');
  });

  test('is compared regardless of case, in the setting and in the request, on both listeners', async () => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'Sendgate.Example.COM' });
    const { url, managementUrl } = it.service;
    for (const host of ['sendgate.example.com', 'SENDGATE.example.com:443', 'LocalHost']) {
      expect([host, (await ask({ host }, url)).status]).toEqual([host, 200]);
      expect([host, (await ask({ host }, managementUrl, '/livez')).status]).toEqual([host, 200]);
    }
  });
});

describe('a client over its rate', () => {
  test('gets 429 with the right headers until its minute ends', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '3' });
    for (let n = 2; n >= 0; n--) expect((await it.get(path)).headers.get('ratelimit')).toBe(`"default"; r=${n}; t=60`);
    await clock.pass(20_000);
    const over = await it.get(path);
    expect(over.status).toBe(429);
    expect(Object.fromEntries(over.headers)).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': '40',
      ratelimit: '"default"; r=0; t=40',
      'ratelimit-policy': expect.stringMatching(/^"default"; q=3; w=60; pk=:.+:$/),
    });
    expect(await over.json()).toMatchObject({ type: '/problems/rate-limited', status: 429 });
    await clock.pass(40_000);
    expect((await it.get(path)).status).toBe(200);
  });

  test('cannot choose an address with X-Forwarded-For', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '2' });
    const statuses = [];
    for (let n = 1; n <= 3; n++) statuses.push((await ask({ 'x-forwarded-for': `10.0.0.${n}` })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test('is identified by the address that a trusted proxy sends; an IPv6 /56 is one client', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1', SENDGATE_SERVER_TRUST_PROXY: 'loopback' });
    const status = async (address: string) => (await ask({ 'x-forwarded-for': address })).status;
    expect(await status('10.0.0.1')).toBe(200);
    expect(await status('10.0.0.2')).toBe(200);
    expect(await status('10.0.0.1')).toBe(429);
    expect(await status('2001:db8:0:100::1')).toBe(200);
    expect(await status('2001:db8:0:1ff::2')).toBe(429);
    expect(await status('2001:db8:0:200::1')).toBe(200);
  });

  test('is evicted when more clients are counted than callers.maxClients', async () => {
    await up({
      SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1',
      SENDGATE_CALLERS_MAX_CLIENTS: '100',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    });
    const status = async (n: number) => (await ask({ 'x-forwarded-for': `10.0.${n >> 8}.${n & 255}` })).status;
    for (let n = 1; n <= 101; n++) expect(await status(n)).toBe(200);
    expect(await status(101)).toBe(429);
    expect(await status(1)).toBe(200);
  });
});

test('the RateLimit headers are those that express-rate-limit sets for draft 8', async () => {
  await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '7' });
  const app = express();
  app.use(
    rateLimit({
      limit: 7,
      windowMs: 60_000,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      identifier: 'default',
      keyGenerator: () => 'default 127.0.0.1',
    }),
  );
  const server = app.listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const reference = await ask({}, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const own = await ask();
    expect(own.headers['ratelimit']).toBe(reference.headers['ratelimit']);
    const withoutKey = (policy = '') => policy.replace(/(?<=; pk=:)[\w+/]{12,16}={0,2}:$/, '…');
    expect(withoutKey(own.headers['ratelimit-policy'])).toBe(withoutKey(reference.headers['ratelimit-policy']));
    expect(own.headers['ratelimit-policy']).not.toBe(reference.headers['ratelimit-policy']);
  } finally {
    server.close();
  }
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a team', () => {
  const teams = [
    { name: 'web', networks: ['10.1.0.0/16', '2001:db8::/32'], requestsPerMinute: 3 },
    { name: 'bi', header: { name: 'X-Team', value: 'bi' } },
    { name: 'jobs', tokensSha256: [sha256('token-of-jobs')] },
    { name: 'late', networks: ['10.1.2.3'] },
  ];
  const env = { SENDGATE_TEAMS: JSON.stringify(teams), SENDGATE_SERVER_TRUST_PROXY: 'loopback' };
  const teamOf = async (headers: Record<string, string>) =>
    /^"([^"]+)"/.exec((await ask(headers)).headers['ratelimit-policy'] ?? '')?.[1];

  test('is recognised by network, proxy header or token; the first match wins, and no match is the default team', async () => {
    await up(env);
    const from = (address: string) => ({ 'x-forwarded-for': address });
    expect(await teamOf(from('10.1.2.3'))).toBe('web');
    expect(await teamOf(from('2001:db8:1::5'))).toBe('web');
    expect(await teamOf({ ...from('10.2.0.1'), 'x-team': 'bi' })).toBe('bi');
    expect(await teamOf({ ...from('10.2.0.1'), authorization: 'Bearer token-of-jobs' })).toBe('jobs');
    expect(await teamOf({ ...from('10.1.9.9'), authorization: 'Bearer token-of-jobs', 'x-team': 'bi' })).toBe('web');
    for (const other of ['Bearer token-of-job', 'Basic token-of-jobs', `Bearer ${sha256('token-of-jobs')}`, 'Bearer']) {
      expect(await teamOf({ ...from('10.2.0.1'), authorization: other })).toBe('default');
    }
    expect(await teamOf({ ...from('10.2.0.1'), 'x-team': 'BI' })).toBe('default');
    await until(() => it.lines.some((line) => line.includes('"team":"jobs"')), 'the log names the team');
    expect(it.lines.join('')).not.toContain('token-of-jobs');
  });

  test('is recognised by one of several values of its header, as a single sign-on proxy sends groups', async () => {
    const groups = [
      { name: 'ab', header: { name: 'X-Forwarded-Groups', value: 'a,b' } },
      { name: 'bi', header: { name: 'X-Forwarded-Groups', value: 'bi' } },
      { name: 'all', header: { name: 'X-Forwarded-Groups', value: 'staff' } },
      { name: 'odd', header: { name: 'X-Forwarded-Groups', value: '/r+d (eu) .*$ ü' } },
    ];
    await up({ ...env, SENDGATE_TEAMS: JSON.stringify(groups) });
    const of = (...values: string[]) => teamOf({ 'x-forwarded-groups': values as never });
    for (const values of ['bi', 'x,bi', 'bi,x', ' x ,\tbi\t, y', 'staff,bi', ',bi,', 'a, b, bi']) {
      expect([values, await of(values)]).toEqual([values, 'bi']);
    }
    expect(await of('x', 'bi')).toBe('bi'); // Two header fields.
    expect(await of('a,b')).toBe('ab'); // The whole value of a team.
    expect(await of('staff')).toBe('all');
    expect(await of('x, /r+d (eu) .*$ ü ')).toBe('odd');
    for (const values of ['', ',', 'BI', 'bi2', 'xbi', 'b i', 'bi;x', '"bi"', 'a,c,b', 'x,a,b', '/rrd (eu) .*$ ü']) {
      expect([values, await of(values)]).toEqual([values, 'default']);
    }
    // A comma in double quotes does not separate (RFC 9110 §5.6.4), nor does one after a quote that is never closed.
    for (const values of ['"sales, bi, x"', 'x, "a\\", bi, "', '"sales, bi, x', '"sales, bi, x\\', 'x"y,bi,z"']) {
      expect([values, await of(values)]).toEqual([values, 'default']);
    }
    for (const values of ['"sales, x", bi', 'bi, "a, b', '"a\\\\",bi'])
      expect([values, await of(values)]).toEqual([values, 'bi']);
  });

  test('changes with the groups of a request, also on one connection', async () => {
    await up(env);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const teams: unknown[] = [];
    for (const groups of ['x,bi', 'x', 'bi,x', 'x,bi', 'x,BI']) {
      const { headers } = await ask({ 'x-team': groups }, it.url, path, 'GET', agent);
      teams.push(/^"([^"]+)"/.exec(headers['ratelimit-policy'] ?? '')?.[1]);
    }
    agent.destroy();
    expect(teams).toEqual(['bi', 'default', 'bi', 'bi', 'default']);
  });

  test('cannot be claimed with a header or an address by a peer that is not a trusted proxy', async () => {
    await up({ ...env, SENDGATE_SERVER_TRUST_PROXY: '10.9.9.9' });
    expect(await teamOf({ 'x-team': 'bi' })).toBe('default');
    expect(await teamOf({ 'x-team': 'x, bi' })).toBe('default');
    expect(await teamOf({ 'x-forwarded-for': '10.1.2.3' })).toBe('default');
    expect(await teamOf({ forwarded: 'for=10.1.2.3', 'x-real-ip': '10.1.2.3' })).toBe('default');
    expect(await teamOf({ authorization: 'Bearer token-of-jobs' })).toBe('jobs');
  });

  test('at its limit does not limit another', async () => {
    await up({ ...env, SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000' });
    const web = (n: number) => ask({ 'x-forwarded-for': `10.1.0.${n}` });
    for (let n = 1; n <= 3; n++) expect((await web(n)).headers['ratelimit']).toBe(`"web"; r=${3 - n}; t=60`);
    const over = await web(4);
    expect(over.status).toBe(429);
    expect(over.headers).toMatchObject({
      'retry-after': '60',
      ratelimit: '"web"; r=0; t=60',
      'ratelimit-policy': expect.stringMatching(/^"web"; q=3; w=60; pk=:/),
    });
    expect((await ask({ 'x-forwarded-for': '10.2.0.1' })).status).toBe(200);
    expect((await ask({ 'x-forwarded-for': '10.2.0.1', authorization: 'Bearer token-of-jobs' })).status).toBe(200);
  });

  test('can be required: unrecognised callers get 401 with WWW-Authenticate', async () => {
    await up({ ...env, SENDGATE_CALLERS_REQUIRED: 'true' });
    const refused = await ask({ 'x-forwarded-for': '10.2.0.1' });
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toBe('Bearer realm="sendgate"');
    expect((await ask({ authorization: 'Bearer token-of-jobs' })).status).toBe(200);
    expect(it.sandbox.callCount).toBe(1);
  });

  test('a hundred thousand clients are counted within the bound of memory', async () => {
    const limiter = new Limiter({ maxClients: 1_000, clock: systemClock, partitionSalt: 'salt' });
    const addresses = new Addresses(['loopback']);
    const from = (n: number) =>
      ({
        socket: { remoteAddress: '127.0.0.1' },
        headers: { 'x-forwarded-for': `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}` },
      }) as unknown as IncomingMessage;
    const admit = (n: number) =>
      limiter.decide(clientOf(defaultTeam, addresses.of(from(n)), 5)).fields.split('\r\n')[0];
    for (let n = 0; n < 100_000; n++) admit(n);
    expect(limiter.clients).toBe(1_000);
    expect(admit(99_999)).toBe('RateLimit: "default"; r=3; t=60');
    expect(admit(0)).toBe('RateLimit: "default"; r=4; t=60');
  });
});

describe('a web page', () => {
  const listed = 'https://dashboards.example.com';

  test.each([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of no origin', { origin: 'null' }],
    ['of the same site on another port', { 'sec-fetch-site': 'same-site' }],
    ['of another site, without reading', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }],
    ['of an origin that only looks listed', { origin: `${listed}.evil.example` }],
    ['of the listed origin in another scheme', { origin: 'http://dashboards.example.com' }],
  ])('%s gets 403 before anything is fetched', async (_, headers) => {
    await up({ SENDGATE_CALLERS_CORS_ORIGINS: listed });
    const answer = await ask(headers);
    expect(answer.status).toBe(403);
    expect(answer.headers['vary']).toBe('Origin');
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(it.sandbox.callCount).toBe(0);
    await it.get(path); // and no more on a hit
    expect((await ask(headers)).status).toBe(403);
  });

  test('of a listed origin may read responses, including errors, without credentials', async () => {
    await up({ SENDGATE_CALLERS_CORS_ORIGINS: `${listed},http://localhost:3000` });
    for (const origin of [listed, 'http://localhost:3000']) {
      for (const target of [path, path, '/campaigns/404/sends', `${path}?limit=0`]) {
        const { headers } = await ask({ origin, 'sec-fetch-site': 'cross-site' }, it.url, target);
        expect(headers).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-expose-headers': expect.stringContaining('Link'),
          vary: expect.stringMatching(/^Origin/),
        });
        expect(headers['access-control-allow-credentials']).toBeUndefined();
      }
    }
    expect((await ask()).headers['vary']).toBe('Origin, Accept-Encoding');
  });

  test('may send a preflight, and cache the response for a day', async () => {
    await up({ SENDGATE_CALLERS_CORS_ORIGINS: listed, SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1' });
    const wish = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'if-none-match' };
    for (let n = 0; n < 3; n++) {
      const preflight = await ask({ origin: listed, ...wish }, it.url, path, 'OPTIONS');
      expect(preflight.status).toBe(204);
      expect(preflight.headers).toMatchObject({
        'access-control-allow-origin': listed,
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': expect.stringContaining('If-None-Match'),
        'access-control-max-age': '86400',
      });
    }
    expect((await ask({ origin: 'https://evil.example', ...wish }, it.url, path, 'OPTIONS')).status).toBe(403);
    expect((await ask({ origin: listed, host: 'evil.example', ...wish }, it.url, path, 'OPTIONS')).status).toBe(421);
  });

  test('of the same origin, and the address bar, are served', async () => {
    await up({});
    expect((await ask({ 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await ask({ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' })).status).toBe(200);
    expect((await ask()).headers['vary']).toBe('Accept-Encoding');
  });
});

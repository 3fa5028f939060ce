/**
 * Who may ask, from where, and how often.
 */
import { request } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Environment, type Harness, start } from './support/harness.ts';

const path = '/campaigns/1/sends';
let it: Harness;

async function up(env: Environment) {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
}
afterEach(() => it.close());

/** fetch sets Host and Origin itself, so this is done by hand. */
function ask(headers: Record<string, string> = {}, base = it.url, target = path) {
  return new Promise<{ status: number; headers: Record<string, string | undefined> }>((resolve, reject) => {
    const { hostname, port } = new URL(base);
    request({ hostname, port, path: target, headers }, (res) => {
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
  ])('%j is answered 421, before anything is fetched', async (host) => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' });
    expect((await ask({ host })).status).toBe(421);
    expect(it.sandbox.callCount).toBe(0);
  });

  test('of the management listener may be any address, or an allowed name, but no other', async () => {
    await up({ SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' });
    const status = async (host: string, target = '/livez') =>
      (await ask({ host }, it.service.managementUrl, target)).status;
    expect(await status('10.1.2.3:8081')).toBe(200);
    expect(await status('[fd00::1]:8081')).toBe(200);
    expect(await status('localhost')).toBe(200);
    expect(await status('sendgate.example.com')).toBe(200);
    expect(await status('evil.example', '/metrics')).toBe(421);
  });
});

describe('a client over its rate', () => {
  test('gets 429 with the right headers, until its minute is over', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '3' });
    for (let n = 2; n >= 0; n--) expect((await it.get(path)).headers.get('ratelimit')).toBe(`"default"; r=${n}; t=60`);
    it.clock.forward(20);
    const over = await it.get(path);
    expect(over.status).toBe(429);
    expect(Object.fromEntries(over.headers)).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': '40',
      ratelimit: '"default"; r=0; t=40',
      'ratelimit-policy': expect.stringMatching(/^"default"; q=3; w=60; pk=:.+:$/),
    });
    expect(await over.json()).toMatchObject({ type: '/problems/rate-limited', status: 429 });
    it.clock.forward(40);
    expect((await it.get(path)).status).toBe(200);
  });

  test('cannot choose an address with X-Forwarded-For', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '2' });
    const statuses = [];
    for (let n = 1; n <= 3; n++) statuses.push((await ask({ 'x-forwarded-for': `10.0.0.${n}` })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  test('is told from others by a trusted proxy, an IPv6 network being one client', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1', SENDGATE_SERVER_TRUST_PROXY: 'loopback' });
    const status = async (address: string) => (await ask({ 'x-forwarded-for': address })).status;
    expect(await status('10.0.0.1')).toBe(200);
    expect(await status('10.0.0.2')).toBe(200);
    expect(await status('10.0.0.1')).toBe(429);
    expect(await status('2001:db8:0:100::1')).toBe(200);
    expect(await status('2001:db8:0:1ff::2')).toBe(429);
    expect(await status('2001:db8:0:200::1')).toBe(200);
  });

  test('is forgotten when there are more clients than may be counted', async () => {
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

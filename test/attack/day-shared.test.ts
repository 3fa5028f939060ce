/**
 * Two workers, and three instances with a real Redis, share the day's calls alike.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { ForwardClock } from '../support/clock.ts';
import {
  type Environment,
  type Harness,
  type SendgateProcess,
  startInstance,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from '../support/harness.ts';
import { RedisServer } from '../support/redis.ts';

const dayMs = 86_400_000;
const toMidnightMs = () => dayMs - (Date.now() % dayMs);
const env: Environment = {
  SENDGATE_QUOTA_PER_DAY: '60',
  SENDGATE_QUOTA_RESERVE: '0',
  SENDGATE_QUOTA_PER_SECOND: '1000',
  SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
  SENDGATE_SERVER_TRUST_PROXY: 'loopback',
  SENDGATE_TEAMS: JSON.stringify(['a', 'b'].map((name) => ({ name, header: { name: 'x-team', value: name } }))),
};

let sandbox: Sandbox;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startSandboxWithPages(): Promise<void> {
  sandbox = await startSandbox();
  sandbox.campaign({ id: '1', size: 900, newestMs: Date.now() });
  ends.push(() => sandbox.stop());
}

let limit = 1;
/** A page that was never requested. */
const cold = (url: string, headers: Record<string, string>) =>
  fetch(`${url}/campaigns/1/sends?limit=${limit++}`, { headers });

/** Requests from the instances in turn until each refuses. Returns the number of pages. */
async function drain(urls: readonly string[], headers: Record<string, string>): Promise<number> {
  let pages = 0;
  for (let refusals = 0, n = 0; refusals < urls.length; n++) {
    const answer = await cold(urls[n % urls.length] ?? '', headers);
    await answer.arrayBuffer();
    if (answer.status === 200) pages++;
    refusals = answer.status === 200 ? 0 : refusals + 1;
  }
  return pages;
}

describe('three instances with Redis, from the first second of a day', () => {
  let redis: RedisServer;
  let clock: ForwardClock;
  let instances: Harness[];

  async function up(): Promise<string[]> {
    redis = await RedisServer.start();
    ends.push(() => redis.stop());
    await startSandboxWithPages();
    clock = new ForwardClock();
    clock.forward(toMidnightMs() / 1000);
    instances = [];
    for (let n = 0; n < 3; n++) await add();
    return instances.map(({ url }) => url);
  }

  async function add(): Promise<void> {
    const redisEnv = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
    const instance = await startInstance(sandbox, clock, { ...env, ...redisEnv }, 'v2');
    instances.push(instance);
    ends.push(() => instance.close());
  }

  const statusOf = (team: string) =>
    instances.map(({ service }) => service.status().teams.find((one) => one.team === team));

  test('a greedy team on all of them leaves the others their share, and all agree on the count', async () => {
    const urls = await up();
    expect(await drain(urls, { 'x-team': 'a' })).toBe(20);
    expect(await drain(urls, { 'x-team': 'b' })).toBe(20);
    expect(await drain(urls.slice(0, 1), {})).toBe(20);
    expect(sandbox.callCount).toBe(60);
    await drain(urls, { 'x-team': 'a' });
    for (const team of statusOf('a')) expect(team).toMatchObject({ calls: 20, part: 20, borrowed: 0, available: 0 });

    // In the evening unused calls are lent; a restarted instance does the same.
    clock.forward(dayMs / 1000);
    expect(await drain(urls, { 'x-team': 'a' })).toBe(20);
    clock.forward((dayMs * 0.9) / 1000);
    await add();
    expect(
      await drain(
        instances.map(({ url }) => url),
        { 'x-team': 'a' },
      ),
    ).toBeGreaterThanOrEqual(35);
    for (const team of statusOf('a')) expect(team?.borrowed).toBeGreaterThanOrEqual(35);
  });

  test('when Redis is lost, each reserves the shares of other teams within its own fraction', async () => {
    const urls = await up();
    for (const url of urls) await cold(url, {});
    // Instances discover each other with the next beats.
    await until(
      () => instances.every(({ service }) => service.status().sharing.instances === 3),
      'they know each other',
    );
    await redis.kill();
    await until(() => instances.every(({ service }) => service.status().sharing.redis === 'down'), 'it is lost');
    expect(await drain(urls, { 'x-team': 'a' })).toBeLessThanOrEqual(22);
    const fromB = await drain(urls, { 'x-team': 'b' });
    expect(fromB).toBeGreaterThanOrEqual(17);
    expect(sandbox.callCount).toBeLessThanOrEqual(60);

    await redis.restart();
    await until(() => instances.every(({ service }) => service.status().sharing.redis === 'up'), 'it is back');
    await drain(urls, {});
    expect(sandbox.callCount).toBeLessThanOrEqual(60);
    expect(statusOf('b').map((team) => team?.calls)).toEqual(Array(3).fill(fromB));
  });

  test('calls for which there is no connection count on none of them', async () => {
    const urls = await up();
    for (const url of urls) await cold(url, {});
    await sandbox.stop();
    for (const url of urls) expect((await cold(url, {})).status).toBe(502);
    // Each learns the others' counts with its next call.
    for (const url of urls) await cold(url, {});
    const counts = () => instances.map(({ service }) => service.status().upstream.callsToday);
    await until(() => counts().every((count) => count === 3), 'they are given back');
  });

  test('impossible counts are ignored, and calls continue', async () => {
    const urls = await up();
    await drain(urls, { 'x-team': 'a' });
    await redis.ask((client) => client.hset('sendgate:1:{quota}:calls', 'c:a', '9007199254740991', 'k:b', 'nonsense'));
    for (const [name, flows] of [
      ['x', '{"no":'],
      ['y', '[1]'],
      ['z', '[["x"]]'],
    ])
      await redis.ask((client) => client.hset('sendgate:1:{quota}:waiting', name ?? '', `${Date.now()} ${flows}`));
    await until(async () => (await cold(urls[0] ?? '', { 'x-team': 'b' })).status === 200, 'b is answered');
  });
});

describe('two workers, from the first second of a day', () => {
  let sendgate: SendgateProcess;

  async function up(extra: Environment = {}): Promise<void> {
    await startSandboxWithPages();
    const shifted = `const now = Date.now; Date.now = () => now() + ${toMidnightMs()}`;
    sendgate = await startProcess({
      ...upstreamEnv(sandbox, 'v2'),
      ...env,
      SENDGATE_WORKERS: '2',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shifted)}`,
      ...extra,
    });
    ends.push(() => sendgate.stop());
  }

  test('a greedy team leaves the others their share, and the metrics count calls by team', async () => {
    await up();
    expect(await drain([sendgate.url], { 'x-team': 'a' })).toBe(20);
    expect(await drain([sendgate.url], { 'x-team': 'b' })).toBe(20);
    expect(await drain([sendgate.url], {})).toBe(20);
    const metrics = await (await fetch(`${sendgate.managementUrl}/metrics`)).text();
    expect(metrics).toMatch(/^sendgate_quota_team_calls_today\{team="a"\} 20$/m);
    expect(metrics).toMatch(/^sendgate_quota_team_part\{team="b"\} 20$/m);
    expect(metrics).toMatch(/^sendgate_quota_team_borrowed\{team="default"\} 0$/m);
    expect(metrics).toMatch(/^sendgate_quota_team_available\{team="a"\} 0$/m);
  });

  test('a greedy client leaves another one half of the share of the team, across workers', async () => {
    await up({ SENDGATE_TEAMS: '[]' });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const metrics = async () => (await fetch(`${sendgate.managementUrl}/metrics`)).text();
    // Workers report clients ten times a second and responses twice: after the second, the first has arrived.
    for (const pages of [1, 2]) {
      await cold(sendgate.url, from('10.0.0.2'));
      const isCounted = new RegExp(`^sendgate_pages_served_total\\{.*\\} ${pages}$`, 'm');
      await until(async () => isCounted.test(await metrics()), 'it is counted');
    }
    const greedy = await drain([sendgate.url], from('10.0.0.1'));
    expect(greedy).toBeGreaterThanOrEqual(29);
    expect(greedy).toBeLessThanOrEqual(31);
    expect(await drain([sendgate.url], from('10.0.0.2'))).toBe(58 - greedy);
  });
});

/**
 * One quota for all instances, with a real Redis.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

let redis: RedisServer;
let sandbox: Sandbox;
/** The same without the account's limits. */
let unlimited: Sandbox;
let clock: ForwardClock;
let instances: Harness[];

beforeEach(async () => {
  redis = await RedisServer.start();
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock, limits: { perSecond: 4, perDay: 10_000 } });
  unlimited = await startSandbox({ clock });
  for (const one of [sandbox, unlimited]) one.campaign({ id: '1', size: 900, newestMs: Date.now() });
  instances = [];
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.close()));
  await sandbox.stop();
  await unlimited.stop();
  await redis.stop();
});

async function add(env: Environment = {}): Promise<Harness> {
  const upstream = env['SENDGATE_QUOTA_PER_SECOND'] === '100' ? unlimited : sandbox;
  const instance = await startInstance(upstream, clock, {
    REDIS_URL: redis.url,
    SENDGATE_REDIS_TIMEOUT_MS: '2000',
    SENDGATE_QUOTA_PER_SECOND: '4',
    SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    SENDGATE_TEAMS: JSON.stringify(['a', 'b', 'c'].map((name) => ({ name, header: { name: 'x-team', value: name } }))),
    ...env,
  });
  instances.push(instance);
  return instance;
}

/** One team, to which the whole day belongs. */
const day = { SENDGATE_TEAMS: '[]', SENDGATE_QUOTA_RESERVE: '0', SENDGATE_QUOTA_PER_SECOND: '100' };

let next = 1;
/** A page that was never asked for. */
const cold = (team: string, on: Harness) => on.get(`/campaigns/1/sends?limit=${next++ % 500 || 1}`, { 'x-team': team });

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Has two demands of each team waiting on its instance for so long. Resolves with the pages that each has got. */
async function saturate(ms: number, teams: readonly (readonly [string, Harness])[]): Promise<Record<string, number>> {
  const got: Record<string, number> = {};
  const end = performance.now() + ms;
  const worker = async (team: string, on: Harness) => {
    while (performance.now() < end) if ((await cold(team, on)).status === 200) got[team] = (got[team] ?? 0) + 1;
  };
  await Promise.all(teams.flatMap(([team, on]) => [worker(team, on), worker(team, on), worker(team, on)]));
  return got;
}

describe('Instances with one Redis', () => {
  test('together use the limit of a second without exceeding it, fairly between teams on any instance', async () => {
    const [first, second, third] = [await add(), await add(), await add()];
    const started = performance.now();
    const got = await saturate(5_000, [
      ['a', first],
      ['b', second],
      ['c', second],
      ['c', third],
    ]);
    const possible = (4 * (performance.now() - started)) / 1000;
    expect(sandbox.limitAnswers).toBe(0);
    expect(sandbox.callCount).toBeGreaterThan(0.7 * possible);
    const [least = 0, middle = 0, most = 0] = ['a', 'b', 'c']
      .map((team) => got[team] ?? 0)
      .sort((one, two) => one - two);
    // By demands alone, c would get twice as many as each of the others.
    expect(most).toBeLessThan(1 + 1.75 * ((least + middle) / 2));
  });

  /** Has another instance announce demands that it never serves. Returns what ends that. */
  async function sayThatSomebodyWaits(flow: string, demands: number): Promise<() => void> {
    const flows = JSON.stringify([[flow, 16, demands, 0]]);
    const say = () =>
      redis.ask((client) => client.hset('sendgate:1:{quota}:waiting', 'somebody-else', `${Date.now()} ${flows}`));
    await say();
    const saying = setInterval(() => void say().catch(() => {}), 200);
    return () => clearInterval(saying);
  }

  test('pass a permit on if its instance does not ask for it', async () => {
    const [first, second] = [await add(), await add()];
    await Promise.all([cold('a', first), cold('b', second)]); // The flow that was not served yet comes first now.
    await delay(2_200);
    // As long as it says that it waits, and nobody passes its permit on, nobody else gets one.
    const gone = await sayThatSomebodyWaits('interactive z', 9);
    const answers = await Promise.all([cold('a', first), cold('b', second)]);
    gone();
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  });

  test('refuse no request because of a queue on an instance that is gone', async () => {
    const one = await add();
    await delay(2_200);
    for (let n = 0; n < 4; n++) await cold('a', one);
    const gone = await sayThatSomebodyWaits('interactive a', 200);
    expect((await cold('a', one)).status).toBe(200); // It waits, and hears of the crowd.
    expect((await cold('a', one)).status).toBe(503);
    gone();
    await delay(2_200);
    expect((await cold('a', one)).status).toBe(200);
  });

  test('share one daily budget', async () => {
    const env = { ...day, SENDGATE_QUOTA_PER_DAY: '6' };
    const [first, second] = [await add(env), await add(env)];
    for (let n = 0; n < 4; n++) expect((await cold('a', first)).status).toBe(200);
    for (let n = 0; n < 2; n++) expect((await cold('a', second)).status).toBe(200);
    for (const one of [first, second]) {
      const refused = await cold('a', one);
      expect(refused.status).toBe(503);
      expect(await refused.json()).toMatchObject({ type: '/problems/upstream-quota-exhausted' });
    }
    expect(unlimited.callCount).toBe(6);
  });

  test('know the calls of the others within seconds, also while they make none', async () => {
    const [first, second] = [await add(day), await add(day)];
    for (let n = 0; n < 3; n++) await cold('a', first);
    await delay(7_000);
    expect(second.service.status().upstream).toMatchObject({ callsToday: 3, leftToday: 9_997 });
    for (let n = 0; n < 2; n++) await cold('a', first);
    await delay(7_000);
    expect(second.service.status().upstream.callsToday).toBe(5);
    const metrics = await (await fetch(`${second.service.managementUrl}/metrics`)).text();
    expect(metrics).toMatch(/^sendgate_quota_calls_left_today 9995$/m);
  });

  test("restore the day's count when Redis is flushed", async () => {
    const env = { ...day, SENDGATE_QUOTA_PER_DAY: '6' };
    const [first, second] = [await add(env), await add(env)];
    for (let n = 0; n < 5; n++) expect((await cold('a', first)).status).toBe(200);
    await redis.ask((client) => client.flushall());
    expect((await cold('a', first)).status).toBe(200);
    expect((await cold('a', second)).status).toBe(503);
    expect(second.service.status().upstream.callsToday).toBe(6);
  });

  test('add up their reports after a flush, and count no call twice', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '100' };
    const [first, second] = [await add(env), await add(env)];
    const used = () => redis.ask((client) => client.hget('sendgate:1:{quota}:calls', 'c:a'));
    for (const one of [first, first, second, second, second, first]) await cold('a', one);
    await redis.ask((client) => client.flushall());
    await cold('a', first);
    expect(await used()).toBe('7');
    await cold('a', second);
    expect(await used()).toBe('8');
  });

  test('add up the calls that each made while Redis was down', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '100' };
    const [first, second] = [await add(env), await add(env)];
    for (let n = 0; n < 3; n++) await cold('a', first);
    await cold('a', second);
    await redis.kill();
    for (let n = 0; n < 2; n++) await cold('a', first);
    for (let n = 0; n < 4; n++) await cold('a', second);
    await redis.restart();
    await until(
      () => instances.every(({ lines }) => lines.filter((line) => /redis\.available/.test(line)).length === 2),
      'back',
    );
    await cold('a', first);
    await cold('a', second);
    expect(second.service.status().upstream.callsToday).toBe(12);
    expect(unlimited.callCount).toBe(12);
  });

  test.each<[string, (server: RedisServer) => unknown, (server: RedisServer) => unknown]>([
    ['empty', (server) => server.kill(), (server) => server.restart()],
    ['with what it had', (server) => server.signal('SIGSTOP'), (server) => server.signal('SIGCONT')],
  ])('add up the calls from before a restart while Redis was down, which comes back %s', async (_, begin, end) => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '100', SENDGATE_REDIS_TIMEOUT_MS: '100' };
    const stored = { ...env, SENDGATE_STORAGE_DIRECTORY: mkdtempSync(join(tmpdir(), 'sendgate-')) };
    const [first, second] = [await add(stored), await add(env)];
    let restarted = first;
    const are = (state: string) => () => instances.every(({ service }) => service.status().sharing.redis === state);
    for (let n = 0; n < 3; n++) await cold('a', first);
    await cold('a', second);
    await begin(redis);
    await until(are('down'), 'it is down');
    for (let n = 0; n < 2; n++) await cold('a', first);
    for (let n = 0; n < 4; n++) await cold('a', second);
    for (let times = 0; times < 2; times++) {
      await restarted.close();
      instances = [second];
      restarted = await add(stored);
      await cold('a', restarted);
    }
    await end(redis);
    await until(are('up'), 'it is back');
    const used = () => redis.ask((client) => client.hget('sendgate:1:{quota}:calls', 'c:a'));
    for (const one of instances) await cold('a', one);
    expect(unlimited.callCount).toBe(14);
    expect(await used()).toBe('14');
  });

  test('all slow down when the upstream complains to one of them', async () => {
    const [first, second] = [await add(), await add()];
    sandbox.fault({ kind: 'over-qps', times: 1 });
    await cold('a', first);
    await until(() => second.service.status().upstream.perSecond === 2, 'it is known');
  });

  test('all pause as long as one of them was asked to, at most a minute, whatever Redis says', async () => {
    const [first, second] = [await add(), await add()];
    const retryAfter = async (on: Harness) => Number((await cold('a', on)).headers.get('retry-after'));
    sandbox.fault({ kind: 'over-qps', retryAfter: '40', times: 1 });
    // What has passed since the answer is taken off.
    expect(Math.abs((await retryAfter(first)) - 38)).toBeLessThanOrEqual(2);
    await until(() => second.service.status().upstream.perSecond === 2, 'it is known');
    expect(await retryAfter(second)).toBeGreaterThanOrEqual(35);
    for (const ms of ['1e12', 'Infinity', 'x', '-1']) {
      await redis.ask((client) => client.publish('sendgate:1:events', JSON.stringify(['complaint', 'another', ms])));
    }
    await until(async () => (await retryAfter(second)) > 40, 'they are heard');
    expect(await retryAfter(second)).toBeLessThanOrEqual(60);
    expect(await retryAfter(first)).toBeGreaterThan(40);
    // What is told during one pause is one complaint.
    expect(second.service.status().upstream.perSecond).toBe(2);
  });
});

describe('Instances without their Redis', () => {
  test('each use their fraction of the quota, and share it again when Redis is up', async () => {
    const [first, second] = [await add(), await add()];
    await delay(900);
    await redis.kill();
    const started = performance.now();
    const got = await saturate(3_000, [
      ['a', first],
      ['b', second],
    ]);
    const possible = (4 * (performance.now() - started)) / 1000;
    expect(sandbox.limitAnswers).toBe(0);
    expect(sandbox.callCount).toBeGreaterThan(0.6 * possible);
    const { a = 0, b = 0 } = got;
    expect(Math.abs(a - b)).toBeLessThanOrEqual(2);

    await redis.restart();
    await saturate(3_000, [
      ['a', first],
      ['b', second],
    ]);
    expect(sandbox.limitAnswers).toBe(0);
  });

  test('each spend no more than their fraction of what is left of the day', async () => {
    const env = { ...day, SENDGATE_QUOTA_PER_DAY: '10' };
    const [first] = [await add(env), await add(env)];
    await delay(900);
    for (let n = 0; n < 2; n++) await cold('a', first);
    await redis.kill();
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push((await cold('a', first)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 503, 503]);
  });

  test('use no more of the quota after a restart that does not find it, and share it again when Redis is up', async () => {
    const env = { ...day, SENDGATE_QUOTA_PER_DAY: '10', SENDGATE_QUOTA_PER_SECOND: '3' };
    const envs = [env, env].map((one) => ({
      ...one,
      SENDGATE_STORAGE_DIRECTORY: mkdtempSync(join(tmpdir(), 'sendgate-')),
    }));
    for (const one of envs) await add(one);
    await until(
      () => instances.every(({ service }) => service.status().sharing.instances === 2),
      'they know each other',
    );
    await redis.kill();
    await Promise.all(instances.splice(0).map((instance) => instance.close()));

    for (const one of envs) await add(one);
    expect(instances.map(({ service }) => service.status().sharing)).toEqual(
      [1, 2].map(() => ({ redis: 'down', instances: 2 })),
    );
    for (const { lines } of instances) expect(lines.join('')).toContain('running standalone on 1/2 of the quota');
    const perSecond = instances.map(({ service }) => service.status().upstream.perSecond);
    expect(perSecond.sort()).toEqual([1, 2]);
    for (const one of instances) for (let n = 0; n < 7; n++) await cold('a', one);
    expect(sandbox.callCount).toBe(10);

    await redis.restart();
    await instances.splice(0, 1)[0]?.close();
    await until(() => instances.every(({ service }) => service.status().sharing.instances === 1), 'it is alone');
    expect(instances[0]?.service.status().sharing.redis).toBe('up');
  });
});

test('A client has one limit across instances', async () => {
  const env = { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '100' };
  const [first, second] = [await add(env), await add(env)];
  for (let n = 0; n < 60; n++) expect((await first.get('/campaigns/1/sends')).status).toBe(200);
  let asked = 0;
  /** Instances tell each other what they have counted a few times a second. */
  const askSecond = async () => {
    await delay(50);
    asked++;
    return second.get('/campaigns/1/sends');
  };
  const isTold = async () => (await askSecond()).headers.get('ratelimit')?.includes(`; r=${40 - asked};`) ?? false;
  await until(isTold, 'the second knows what the first has counted');
  for (let n = asked; n < 40; n++) await first.get('/campaigns/1/sends');
  let refused: Response | undefined;
  const isRefused = async () => {
    refused = await askSecond();
    return refused.status === 429;
  };
  await until(isRefused, 'the limit is reached');
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(20);
});

test("A client's window ends at the same time on every instance", async () => {
  const [first, second] = [await add(), await add()];
  await first.get('/campaigns/1/sends');
  const count = async () => (await redis.ask((client) => client.keys('sendgate:1:rate:*')))[0];
  await until(async () => (await count()) !== undefined, 'it is counted by all');
  const key = (await count()) ?? '';
  await redis.ask((client) => client.pexpire(key, 20_000));
  for (const one of [second, first]) {
    const secondsLeft = async () => {
      const line = (await one.get('/campaigns/1/sends')).headers.get('ratelimit');
      return Number(/t=(\d+)/.exec(line ?? '')?.[1]);
    };
    await until(async () => (await secondsLeft()) <= 20, 'its window ends with the one in Redis');
  }
});

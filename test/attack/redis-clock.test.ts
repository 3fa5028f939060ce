/**
 * A Redis whose clock is set back, as after a failover to a machine that is behind: what it holds is dated ahead.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis as Client } from 'ioredis';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { ForwardClock } from '../support/clock.ts';
import { type Harness, startInstance, startSandbox, until } from '../support/harness.ts';
import { RedisServer } from '../support/redis.ts';

const quota = 'sendgate:1:{quota}';
const state = `${quota}:state`;
const ahead = () => Date.now() + 3_600_000;
let server: RedisServer;
let sandbox: Sandbox;
let instance: Harness;
let limit = 1;

beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());
beforeEach(async () => {
  await server.ask((client) => client.flushall());
  sandbox = await startSandbox();
  sandbox.campaign({ id: '1', size: 30, newestMs: Date.now() });
});
afterEach(async () => {
  await instance.close();
  await sandbox.stop();
});

const cold = () => instance.get(`/campaigns/1/sends?limit=${limit++}`).then(({ status }) => status);

async function start(): Promise<void> {
  instance = await startInstance(sandbox, new ForwardClock(), {
    REDIS_URL: server.url,
    SENDGATE_REDIS_TIMEOUT_MS: '2000',
    SENDGATE_QUOTA_PER_SECOND: '4',
    SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
  });
  await until(() => instance.service.status().sharing.redis === 'up', 'Redis is in use');
}

describe('When the clock of Redis is set back', () => {
  const slots = () => [1, 2, 3, 4].flatMap((n) => [ahead(), `call-${n}`]);
  test.each<[what: string, date: (client: Client) => Promise<unknown>]>([
    ['the calls of the last second', (client) => client.zadd(`${quota}:places`, ...slots())],
    [
      'calls that never end',
      (client) => client.zadd(`${quota}:places`, 'inf', 'a', 'inf', 'b', 'inf', 'c', 'inf', 'd'),
    ],
    ['its start', (client) => client.hset(state, 'since', ahead(), 'lost', ahead())],
    ['a start that never comes', (client) => client.hset(state, 'since', 'inf', 'lost', 'inf')],
  ])('%s stop no call', async (_what, date) => {
    await start();
    expect(await cold()).toBe(200);
    await server.ask(date);
    expect(await cold()).toBe(200);
  });

  test('an instance that is gone is offered no permit', async () => {
    await start();
    expect(await cold()).toBe(200);
    const waiting = `${ahead()} [["interactive default",100,5,0]]`;
    await server.ask((client) => client.hset(`${quota}:waiting`, 'gone', waiting));
    expect(await cold()).toBe(200);
    expect(await server.ask((client) => client.hget(`${quota}:waiting`, 'gone'))).toBeNull();
  });

  test('a permit that was offered before is offered again, and then granted', async () => {
    await start();
    expect(await cold()).toBe(200);
    await server.ask(async (client) => {
      await client.hset(state, 'offered', ahead());
      // Another flow, which waits elsewhere and comes first as long as it is heard of.
      await client.hset(`${quota}:tags`, 'interactive default', '5');
      await client.hset(`${quota}:waiting`, 'elsewhere', `${Date.now()} [["refresh default",1,5,0]]`);
    });
    expect(await cold()).toBe(200);
    expect(await server.ask((client) => client.hget(`${quota}:waiting`, 'elsewhere'))).not.toBeNull();
  });
});

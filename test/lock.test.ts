/**
 * The lock that instances share, in a real Redis.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { acquire, HeldLock, lockMs } from '../src/redis/lock.ts';
import { runScript, type Script } from '../src/redis/scripts.ts';
import { FakeClock } from './support/clock.ts';
import { RedisServer } from './support/redis.ts';

let server: RedisServer;
let client: Client;
let clock: FakeClock;
/** Names of the scripts that were run. */
let ran: string[];

beforeAll(async () => {
  server = await RedisServer.start();
  client = new Client({ port: server.port });
});
afterAll(async () => {
  await client.quit();
  await server.stop();
});
beforeEach(async () => {
  clock = new FakeClock();
  ran = [];
  await client.flushall();
});

const run = (script: Script, values: readonly (string | number)[]) => {
  ran.push(script.name);
  return runScript(client, script, values);
};
const take = (token: string, forMs = 1) => acquire(run, clock, { key: 'lock', token, forMs });

async function held(token: string): Promise<HeldLock> {
  const lock = await take(token);
  if (!lock) throw new Error('it is held by another one');
  return lock;
}

describe('A lock', () => {
  test('has one holder at a time, and only that one can release it', async () => {
    const lock = await held('a');
    const other = new HeldLock(run, clock, 'lock', 'b');
    await other.release();
    expect(await client.get('lock')).toBe('a');
    await lock.release();
    expect(await client.get('lock')).toBeNull();
    await (await held('b')).release();
  });

  test('held by another is awaited for a bounded time', async () => {
    const lock = await held('a');
    const late = take('b', 500);
    for (let n = 0; n < 11; n++) {
      await client.ping();
      await clock.pass(50);
    }
    expect(await late).toBeUndefined();

    const patient = take('b', 10_000);
    await lock.release();
    await client.ping();
    await clock.pass(50);
    expect(await patient).toBeInstanceOf(HeldLock);
    (await patient)?.stopRenewing();
  });

  test('expires without its holder, and is renewed while it lives', async () => {
    const lock = await held('a');
    expect(await client.pttl('lock')).toBeLessThanOrEqual(lockMs);
    await client.pexpire('lock', 100);
    await clock.pass(400);
    await client.ping();
    expect(await client.pttl('lock')).toBeGreaterThan(100);
    lock.stopRenewing();
    const before = ran.length;
    await clock.pass(5_000);
    expect(ran).toHaveLength(before);
  });

  test('that another holder has taken over is not renewed', async () => {
    const lock = await held('a');
    await client.set('lock', 'b', 'PX', 100);
    await clock.pass(400);
    await client.ping();
    expect(await client.pttl('lock')).toBeLessThanOrEqual(100);
    lock.stopRenewing();
  });

  test.each([
    ['never expires', () => client.set('lock', 'x')],
    ['expires later than a lock can', () => client.set('lock', 'x', 'PX', 3_600_000)],
    ['has another type and never expires', () => client.hset('lock', 'x', '1')],
  ])("that %s is nobody's", async (_, spoil) => {
    await spoil();
    (await held('a')).stopRenewing();
    expect(await client.get('lock')).toBe('a');
  });
});

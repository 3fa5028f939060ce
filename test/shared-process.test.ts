/**
 * Processes that share a Redis, and one of them is killed.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { type SendgateProcess, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-shared-'));

let redis: RedisServer;
let sandbox: Sandbox;

beforeEach(async () => {
  redis = await RedisServer.start();
  sandbox = await startSandbox();
  for (let id = 1; id <= 9; id++) sandbox.campaign({ id: String(id), size: 3, newestMs: Date.now() });
});
afterEach(async () => {
  await sandbox.stop();
  await redis.stop();
});

/** Processes that this one has started and that still run. */
function childrenOf({ child }: SendgateProcess): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === child.pid;
      } catch {
        return false; // It has ended meanwhile.
      }
    });
}

/** Two seconds on an idle machine. */
const limitMs = 6_000;

const start = (version: 'v2' | 'v3', name = '') =>
  startProcess({
    ...upstreamEnv(sandbox, version),
    REDIS_URL: redis.url,
    SENDGATE_REDIS_TIMEOUT_MS: '2000',
    ...(version === 'v3' ? { CONSTANT_CONTACT_TOKEN_FILE: join(folder, `${redis.port}-${name}.json`) } : {}),
  });

test('another instance makes the call for a page within two seconds after the lock holder is killed', async () => {
  const [a, b, c] = await Promise.all([start('v2'), start('v2'), start('v2')]);
  sandbox.fault({ kind: 'hang', times: 1 });
  const gone = fetch(`${a.url}/campaigns/1/sends`).catch(() => undefined);
  await until(() => sandbox.callCount === 1, 'the call is made');
  const answers = [b, c].map((one) => fetch(`${one.url}/campaigns/1/sends`));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sandbox.callCount).toBe(1);

  a.child.kill('SIGKILL');
  const killed = performance.now();
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  expect(performance.now() - killed).toBeLessThan(limitMs);
  expect(sandbox.callCount).toBe(2);
  await gone;
  await Promise.all([b.stop(), c.stop()]);
});

describe('when the instance that refreshes the tokens is killed', () => {
  const path = `/campaigns/${activityIdOf('1')}/sends`;

  /** Two of them, whose access token has just ended, and the first has begun to refresh it. */
  async function refreshing(fault: { kind: 'latency'; ms: number } | { kind: 'hang' }) {
    const [a, b] = [await start('v3', 'a'), await start('v3', 'b')];
    for (const { url } of [a, b]) expect((await fetch(`${url}${path}`)).status).toBe(200);
    sandbox.oauth?.expire();
    sandbox.fault({ target: 'token', times: 1, ...fault });
    const calls = sandbox.tokenCallCount;
    const gone = fetch(`${a.url}/campaigns/${activityIdOf('2')}/sends`).catch(() => undefined);
    await until(() => sandbox.tokenCallCount === calls + 1, 'it refreshes');
    return { a, b, gone, calls };
  }

  test('its refresh process finishes, and the others use its tokens', async () => {
    const { a, b, gone, calls } = await refreshing({ kind: 'latency', ms: 1_000 });
    a.child.kill('SIGKILL');
    const killed = performance.now();
    expect((await fetch(`${b.url}/campaigns/${activityIdOf('3')}/sends`)).status).toBe(200);
    expect(performance.now() - killed).toBeLessThan(1_000 + limitMs); // The second of the refresh before it.
    expect(sandbox.tokenCallCount).toBe(calls + 1);
    await gone;
    await b.stop();
  });

  test('with its whole machine, the others refresh within two seconds', async () => {
    const { a, b, gone, calls } = await refreshing({ kind: 'hang' });
    const all = childrenOf(a);
    expect(all).toHaveLength(1);
    for (const pid of all) process.kill(pid, 'SIGKILL');
    a.child.kill('SIGKILL');
    const killed = performance.now();
    const answer = fetch(`${b.url}/campaigns/${activityIdOf('3')}/sends`);
    await until(() => sandbox.tokenCallCount === calls + 2, 'another one refreshes');
    expect(performance.now() - killed).toBeLessThan(limitMs);
    expect((await answer).status).toBe(200);
    await gone;
    await b.stop();
  });
});

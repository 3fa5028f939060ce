/**
 * Sendgate recovers by itself: what stops calls is probed without a caller, at bounded cost.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Config } from '../src/config/schema.ts';
import type { Finding } from '../src/upstream/finding.ts';
import { buildGates, inOrder } from '../src/upstream/gates.ts';
import { Recovery } from '../src/upstream/recovery.ts';
import { FakeClock, ForwardClock, settled } from './support/clock.ts';
import {
  apiKey,
  type Environment,
  type Harness,
  start,
  startInstance,
  startSandbox,
  until,
} from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const dayMs = 86_400_000;
/** What shuts each gate, and after how many seconds it is probed in the first minutes. */
const causes: readonly (readonly [Finding, readonly number[]])[] = [
  ['failed', [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 66, 73, 80, 88, 97, 107, 117, 129, 142, 156]],
  ['refused', [60, 120, 180, 240, 300]],
  ['gone', []],
  ['day', []],
];

const constantContact = { api: 'v2', credentialsRetrySeconds: 60, breakerFailures: 1, breakerProbeMs: 5_000 };

/** Instances of one account, each with its gates. None has a caller. */
function startInstances(count: number) {
  const clock = new FakeClock(Date.parse('2026-01-01T00:00:00Z'));
  const it = {
    clock,
    /** What a probe finds; undefined if none can be made. */
    finding: 'failed' as Finding | undefined,
    /** Seconds since the gates shut, for each probe. */
    probedAt: [] as number[],
  };
  const shutAt = clock.monotonic();
  const instances = Array.from({ length: count }, (_, rank) => {
    const gates = buildGates({ constantContact } as Config, { clock, emit: () => {}, refuseWaiting: () => {} });
    const recovery: Recovery = new Recovery({
      ...{ clock, gates },
      turn: () => ({ rank, instances: count }),
      tellOthers: async () => {
        await settled();
        for (const instance of instances) instance.recovery.probeDue();
      },
      probe: async () => {
        if (it.finding === undefined) return undefined;
        it.probedAt.push(Math.floor((clock.monotonic() - shutAt) / 1000));
        for (const gate of inOrder(gates)) gate.learn(it.finding);
        return it.finding;
      },
    });
    return { gates, recovery };
  });
  const areShut = () => instances.map(({ gates }) => inOrder(gates).some((gate) => gate.isShut));
  const shut = (finding: Finding) => {
    it.finding = finding;
    for (const { gates } of instances) {
      gates.breaker.failed();
      for (const gate of inOrder(gates)) gate.learn(finding);
    }
  };
  return Object.assign(it, { instances, areShut, shut });
}

describe.each(causes)('calls that are stopped by `%s`', (finding, seconds) => {
  test('are probed at the documented intervals, and resume', async () => {
    const it = startInstances(1);
    it.shut(finding);
    await it.clock.pass(157_000 + (finding === 'failed' ? 0 : 143_000));
    expect(it.probedAt).toEqual(seconds);
    it.finding = 'answered';
    await it.clock.pass(3_600_000);
    expect(it.areShut()).toEqual([false]);
    const { length } = it.probedAt;
    await it.clock.pass(7_200_000);
    expect(it.probedAt).toHaveLength(length);
  });

  test.each([1, 3])('cost few calls in a day, with %i instances too, and resume on all of them', async (count) => {
    const it = startInstances(count);
    it.shut(finding);
    await it.clock.pass(dayMs - 1);
    expect(it.probedAt.length).toBeLessThanOrEqual(
      { failed: 1_500, refused: 1_440, gone: 24, day: 24 }[finding as 'day'],
    );
    it.finding = 'answered';
    await it.clock.pass(finding === 'gone' ? 3_600_000 : 60_000);
    expect(it.areShut()).toEqual(Array(count).fill(false));
  });

  test('are probed at once when a secret is replaced, if that can be what was refused', async () => {
    const it = startInstances(1);
    it.shut(finding);
    it.finding = 'answered';
    for (const { gates } of it.instances) {
      gates.credentials.probeNow();
      gates.gone.probeNow();
    }
    await it.clock.pass(0);
    expect(it.areShut()).toEqual([finding === 'failed' || finding === 'day']);
  });

  test('are probed as soon as a probe can be made', async () => {
    const it = startInstances(1);
    it.shut(finding);
    it.finding = undefined;
    await it.clock.pass(2 * 3_600_000);
    expect(it.areShut()).toEqual([true]);
    it.finding = 'answered';
    await it.clock.pass(5_000);
    expect([it.areShut(), it.probedAt.length]).toEqual([[false], 1]);
  });

  test('are not probed after the end', async () => {
    const it = startInstances(1);
    it.shut(finding);
    for (const { recovery } of it.instances) recovery.close();
    it.shut(finding);
    await it.clock.pass(2 * 3_600_000);
    expect(it.probedAt).toEqual([]);
    expect(it.clock.dueWithin(dayMs)).toBe(0);
  });
});

describe('without a request', () => {
  let it: Harness | undefined;
  afterEach(async () => {
    await it?.close();
    it = undefined;
  });

  async function up(env: Environment = {}) {
    const harness = await start({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0', ...env }, {}, 'v2');
    for (let id = 1; id <= 20; id++) harness.sandbox.campaign({ id: String(id), size: 3, newestMs: Date.now() });
    it = harness;
    const upstream = async () => (await (await fetch(`${harness.service.managementUrl}/readyz`)).json()).upstream;
    return { ...harness, upstream };
  }

  test('a replaced secret is tried at once', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sendgate-recovery-')), 'key');
    writeFileSync(file, 'key-revoked');
    const env = { CONSTANT_CONTACT_API_KEY: '', CONSTANT_CONTACT_API_KEY_FILE: file };
    const { get, upstream, sandbox, service } = await up(env);
    expect((await get('/campaigns/1/sends')).status).toBe(502);
    expect(await upstream()).toBe('credentials-refused');
    sandbox.forget();
    writeFileSync(file, apiKey);
    service.reload();
    await until(async () => (await upstream()) === 'ok', 'the new key is accepted');
    expect(sandbox.callCount).toBe(1);
  });

  test('the end of an outage is noticed', async () => {
    const { get, upstream, sandbox, lines } = await up({ SENDGATE_CONSTANT_CONTACT_BREAKER_PROBE_MS: '100' });
    sandbox.fault({ kind: 'status', status: 500 });
    for (let id = 1; id <= 11; id++) await get(`/campaigns/${id}/sends`);
    await until(() => lines.join('').includes('upstream.down'), 'the circuit is open');
    sandbox.heal();
    await until(async () => (await upstream()) === 'ok', 'the circuit is closed');
  });
});

test('an instance that is answered makes the others probe, through Redis', async () => {
  const redis = await RedisServer.start();
  const clock = new ForwardClock();
  const sandbox = await startSandbox({ clock });
  sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  const env = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
  const instances = [await startInstance(sandbox, clock, env, 'v2'), await startInstance(sandbox, clock, env, 'v2')];
  const statuses = () =>
    Promise.all(instances.map(async ({ service }) => (await fetch(`${service.managementUrl}/readyz`)).text()));
  try {
    sandbox.fault({ kind: 'status', status: 403 });
    for (const { get } of instances) expect((await get('/campaigns/1/sends')).status).toBe(502);
    for (const text of await statuses()) expect(text).toContain('credentials-refused');
    sandbox.heal();
    clock.forward(60);
    expect((await instances[0]?.get('/campaigns/1/sends'))?.status).toBe(200);
    await until(async () => (await statuses()).every((text) => text.includes('"ok"')), 'both are answered');
  } finally {
    await Promise.all(instances.map((instance) => instance.close()));
    await sandbox.stop();
    await redis.stop();
  }
});

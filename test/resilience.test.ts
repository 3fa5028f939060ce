/**
 * What Sendgate does when Constant Contact is down, over real HTTP; `npm run soak` is the long form.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { Breaker } from '../src/upstream/breaker.ts';
import type { Finding } from '../src/upstream/finding.ts';
import { RetryBudget } from '../src/upstream/retry-budget.ts';
import { FakeClock } from './support/clock.ts';
import { type Environment, type Harness, start, until } from './support/harness.ts';

let it: Harness | undefined;
afterEach(async () => {
  await it?.close();
  it = undefined;
});

async function up(env: Environment = {}) {
  const harness = await start(env);
  for (let id = 1; id <= 40; id++) harness.sandbox.campaign({ id: String(id), size: 3, newestMs: harness.clock.now() });
  it = harness;
  return harness;
}

describe('the circuit', () => {
  test('becomes suspect after consecutive failures, and opens and closes by probes', async () => {
    const changes: boolean[] = [];
    const breaker = new Breaker(new FakeClock(), { failures: 3, probeEveryMs: 5_000 }, (open) => changes.push(open));
    breaker.failed();
    breaker.failed();
    breaker.answered();
    breaker.failed();
    breaker.failed();
    expect(breaker.isSuspect).toBe(false);
    breaker.failed();
    expect([breaker.isSuspect, breaker.isOpen]).toEqual([true, false]);
    const found = (finding: Finding) => breaker.gate.learn(finding);
    found('answered');
    found('failed');
    expect(breaker.isOpen).toBe(true);
    expect(() => breaker.gate.check(() => Promise.resolve('answered'))).toThrow(
      expect.objectContaining({ code: 'upstream-busy', retryAfterSeconds: 5 }),
    );
    for (const finding of ['answered', 'refused', 'second', 'day'] as const) {
      found('failed');
      found(finding);
      expect(breaker.isOpen).toBe(false);
    }
    expect(changes).toEqual([true, false, true, false, true, false, true, false]);
  });

  test('is probed less and less: a day without Constant Contact costs a seventh of its quota', async () => {
    const clock = new FakeClock();
    const breaker = new Breaker(clock, { failures: 1, probeEveryMs: 5_000 }, () => {});
    breaker.failed();
    const { gate } = breaker;
    const probedAt: number[] = [];
    gate.learn('failed');
    const openedAt = clock.monotonic();
    for (; clock.monotonic() < openedAt + 86_400_000; await clock.pass(1_000)) {
      const probe = async () => {
        probedAt.push((clock.monotonic() - openedAt) / 1000);
        return 'failed' as const;
      };
      await Promise.resolve()
        .then(() => gate.check(probe))
        .catch(() => {});
    }
    expect(probedAt.slice(0, 3)).toEqual([5, 10, 15]);
    expect(probedAt.length).toBeLessThan(10_000 / 6.5);
    const waits = probedAt.map((at, n) => at - (probedAt[n - 1] ?? 0));
    expect(Math.max(...waits)).toBe(60);
    // Whenever Constant Contact is back, that is seen after a tenth of the outage's length.
    for (const [n, wait] of waits.entries()) expect(wait).toBeLessThanOrEqual(Math.max(5, 1 + (probedAt[n] ?? 0) / 10));
  });

  test('stops calls to a dead upstream: cached pages are served, and other requests get Retry-After', async () => {
    const { sandbox, clock, get, service, lines } = await up({ SENDGATE_CONSTANT_CONTACT_BREAKER_PROBE_MS: '30000' });
    for (let id = 1; id <= 20; id++) await get(`/campaigns/${id}/sends`);
    clock.forward(61);
    sandbox.fault({ kind: 'status', status: 500 });
    sandbox.forget();
    for (let round = 0; round < 10; round++) {
      for (let id = 1; id <= 20; id++) expect((await get(`/campaigns/${id}/sends`)).status).toBe(200);
    }
    await until(async () => (await get('/campaigns/21/sends')).status === 503, 'the circuit is open');
    const cold = await get('/campaigns/22/sends');
    expect(cold.status).toBe(503);
    expect(await cold.json()).toMatchObject({
      type: '/problems/upstream-busy',
      detail: expect.stringContaining('Constant Contact is down'),
    });
    expect(Number(cold.headers.get('retry-after'))).toBeLessThanOrEqual(30);
    expect(sandbox.callCount).toBeLessThanOrEqual(30); // 20 refreshes in flight, and ten retries
    const ready = await fetch(`${service.managementUrl}/readyz`);
    expect(await ready.json()).toEqual({ status: 'degraded', upstream: 'failing' });

    sandbox.heal();
    clock.forward(30);
    await until(async () => (await get('/campaigns/21/sends')).status === 200, 'it recovers by itself');
    expect(lines.join('')).toContain('upstream.down');
    expect(lines.join('')).toContain('upstream.up');
  });

  test('ignores unknown campaigns', async () => {
    const { get } = await up();
    for (let id = 1000; id < 1020; id++) expect((await get(`/campaigns/${id}/sends`)).status).toBe(404);
    expect((await get('/campaigns/1/sends')).status).toBe(200);
  });
});

test('a failed connection is logged with its error code', async () => {
  const { get, lines } = await up({
    CONSTANT_CONTACT_BASE_URL: 'http://127.0.0.1:9',
    SENDGATE_CONSTANT_CONTACT_RETRIES: '0',
  });
  expect((await get('/campaigns/1/sends')).status).toBe(502);
  expect(lines.find((line) => line.includes('"outcome":"connection"'))).toContain('"code":"ECONNREFUSED"');
});

describe('retries', () => {
  const a = { team: 'a' };
  const b = { team: 'b' };
  const ofA = { team: 'a', client: '10.0.0.1' };

  test('are limited to a tenth of the calls, after an initial five', () => {
    const budget = new RetryBudget(10);
    let granted = 0;
    for (let n = 0; n < 1000; n++) {
      budget.earn(a);
      if (budget.take(a)) granted++;
    }
    expect(granted).toBeGreaterThanOrEqual(104);
    expect(granted).toBeLessThanOrEqual(105);
  });

  test('start with ten, half of them for one asker: failing questions leave retries to others', () => {
    const budget = new RetryBudget(10);
    const spend = (asker: { team: string }) => Array.from({ length: 20 }, () => budget.take(asker)).filter(Boolean);
    expect(spend(a)).toHaveLength(5);
    expect(spend(b)).toHaveLength(5);
    expect(spend(ofA)).toHaveLength(0);
    for (let n = 0; n < 11; n++) budget.earn(ofA);
    expect(spend(a)).toHaveLength(0);
    expect(spend(ofA)).toHaveLength(1);
  });

  test('cannot multiply the calls to a failing upstream', async () => {
    const { sandbox, get } = await up({ SENDGATE_CONSTANT_CONTACT_BREAKER_FAILURES: '10000' });
    sandbox.fault({ kind: 'status', status: 500 });
    const asked = Array.from({ length: 40 }, (_, n) => get(`/campaigns/${n + 1}/sends`));
    for (const answer of await Promise.all(asked)) expect(answer.status).toBe(502);
    expect(sandbox.callCount).toBeLessThanOrEqual(40 + 10 + 4);
  });
});

describe("the day's quota", () => {
  test('once spent, leaves cached pages served, and other requests get Retry-After', async () => {
    const { sandbox, clock, get, service, lines } = await up({ SENDGATE_QUOTA_PER_DAY: '2' });
    await get('/campaigns/1/sends');
    await get('/campaigns/2/sends');
    clock.forward(61);
    for (let round = 0; round < 3; round++) {
      const held = await get('/campaigns/1/sends');
      expect(held.status).toBe(200);
      expect(held.headers.get('cache-status')).toMatch(/hit; ttl=-\d+; detail=stale/);
      const cold = await get('/campaigns/3/sends');
      const untilMidnight = (86_400_000 - (clock.now() % 86_400_000)) / 1000;
      expect(cold.status).toBe(503);
      expect(await cold.json()).toMatchObject({ type: '/problems/upstream-quota-exhausted' });
      expect(Math.abs(Number(cold.headers.get('retry-after')) - untilMidnight)).toBeLessThanOrEqual(1.5);
    }
    expect(sandbox.callCount).toBe(2);
    const ready = await fetch(`${service.managementUrl}/readyz`);
    expect(await ready.json()).toEqual({ status: 'degraded', upstream: 'quota-exhausted' });
    for (const percent of [50, 100]) {
      expect(lines.filter((line) => line.includes(`"percent":${percent},`))).toHaveLength(1);
    }
    clock.forward(86_400);
    expect((await get('/campaigns/3/sends')).status).toBe(200);
  });

  test('is probed hourly after Constant Contact reports it spent', async () => {
    const { sandbox, clock, get } = await up();
    clock.forward((86_400_000 - (clock.now() % 86_400_000)) / 1000 + 60); // a minute past midnight
    await get('/campaigns/1/sends');
    sandbox.fault({ kind: 'over-ratelimit' });
    sandbox.forget();
    const ask = async () => (await get('/campaigns/2/sends')).status;
    for (let n = 0; n < 5; n++) expect(await ask()).toBe(503);
    expect(sandbox.callCount).toBe(1);
    for (let hour = 2; hour <= 4; hour++) {
      clock.forward(3_601);
      for (let n = 0; n < 5; n++) expect(await ask()).toBe(503);
      expect(sandbox.callCount).toBe(hour);
      expect((await get('/campaigns/1/sends')).status).toBe(200);
    }
    sandbox.heal();
    clock.forward(3_601);
    expect(await ask()).toBe(200);
  });
});

import { beforeEach, describe, expect, test } from '@jest/globals';
import { Problem } from '../src/problems.ts';
import { endOfDay, quotaExhausted } from '../src/quota/day.ts';
import { type Finding, findingOf } from '../src/upstream/finding.ts';
import { Gate } from '../src/upstream/gate.ts';
import { Prober } from '../src/upstream/prober.ts';
import { FakeClock, settled } from './support/clock.ts';

let clock: FakeClock;
let gate: Gate;
let changes: boolean[];
let probes: number;
let finding: Finding | undefined;

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
  probes = 0;
  finding = 'refused';
  gate = gateUntil();
});

const gateUntil = (until?: () => number) =>
  new Gate(clock, {
    probeEveryMs: () => 60_000,
    reads: (found) => (found === 'refused' ? 'shut' : found === 'answered' ? 'open' : undefined),
    problem: (probeInMs) => new Problem('upstream-credentials-refused', { retryAfterSeconds: probeInMs / 1000 }),
    ...(until && { until }),
    onChange: (shut) => changes.push(shut),
  });

const probe = async () => {
  probes++;
  await settled();
  return finding;
};

/** Whether a call may be made. */
const passes = async () => {
  try {
    await gate.check(probe);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'upstream-credentials-refused' });
    return false;
  }
};

describe('a gate', () => {
  test('shuts and opens only by probes, one per interval for any number of callers', async () => {
    expect(await passes()).toBe(true);
    gate.learn('refused');
    expect([await passes(), await passes(), probes]).toEqual([false, false, 0]);
    await clock.pass(60_000);
    expect(await Promise.all([passes(), passes(), passes()])).toEqual([false, false, false]);
    expect(probes).toBe(1);
    finding = 'answered';
    await clock.pass(60_000);
    // The caller who probes waits for the finding; the others do not.
    expect(await Promise.all([passes(), passes()])).toEqual([true, false]);
    expect([await passes(), probes]).toEqual([true, 2]);
    expect(changes).toEqual([true, false]);
  });

  test('is unchanged by an irrelevant probe, and by one that cannot be made, which stays due', async () => {
    gate.learn('refused');
    await clock.pass(60_000);
    finding = undefined;
    expect([await passes(), await passes(), probes]).toEqual([false, false, 2]);
    finding = 'failed';
    expect([await passes(), await passes(), probes]).toEqual([false, false, 3]);
    finding = 'answered';
    await clock.pass(60_000);
    expect(await passes()).toBe(true);
  });

  test('opens without a probe when its time is over', async () => {
    const end = clock.now() + 30_000;
    gate = gateUntil(() => end);
    gate.shut();
    await clock.pass(29_999);
    expect(await passes()).toBe(false);
    await clock.pass(1);
    expect(await passes()).toBe(true);
    expect(gate.isShut).toBe(false);
  });

  test('is probed at once when what was refused has been replaced', async () => {
    gate.probeNow();
    expect(gate.isShut).toBe(false);
    gate.shut();
    gate.probeNow();
    finding = 'answered';
    expect([await passes(), probes]).toEqual([true, 1]);
  });

  test('keeps its probe interval and Retry-After when the clock is set back or forward', async () => {
    gate.shut();
    for (const ms of [-3_600_000, 7_200_000]) {
      clock.stepWall(ms);
      expect(() => gate.check(probe)).toThrow(expect.objectContaining({ retryAfterSeconds: 60 }));
    }
    await clock.pass(60_000);
    finding = 'answered';
    expect(await passes()).toBe(true);
  });
});

describe('a probe', () => {
  test('is shared by all callers, and its finding is reused for a while', async () => {
    const prober = new Prober(clock);
    expect(await Promise.all([prober.find(60_000, probe), prober.find(0, probe)])).toEqual(['refused', 'refused']);
    await prober.find(60_000, probe);
    expect(probes).toBe(1);
    clock.stepWall(-3_600_000);
    await clock.pass(59_999);
    await prober.find(60_000, probe);
    expect(probes).toBe(1);
    await clock.pass(1);
    await prober.find(60_000, probe);
    expect(probes).toBe(2);
  });

  test('is repeated after the credentials are replaced', async () => {
    const prober = new Prober(clock);
    await prober.find(60_000, probe);
    prober.forget();
    finding = 'answered';
    expect([prober.last, await prober.find(60_000, probe), probes]).toEqual([undefined, 'answered', 2]);
  });

  test.each([
    ['upstream-credentials-refused', 'http-403', 'refused'],
    ['upstream-quota-exhausted', 'quota', 'day'],
    ['upstream-busy', 'throttled', 'second'],
    ['campaign-not-found', 'http-404', 'answered'],
    ['upstream-failed', 'http-4xx', 'answered'],
    ['upstream-failed', 'http-5xx', 'failed'],
    ['upstream-failed', 'malformed', 'failed'],
    ['upstream-timeout', 'timeout', 'failed'],
  ] as const)('reads %s (%s) as %s', (code, reason, found) => {
    expect(findingOf(new Problem(code, { reason }))).toBe(found);
  });
});

test('the day ends at 00:00 UTC, and Retry-After says so', () => {
  expect(new Date(endOfDay(Date.parse('2026-01-01T12:00:00Z'))).toISOString()).toBe('2026-01-02T00:00:00.000Z');
  expect(new Date(endOfDay(Date.parse('2026-01-02T00:00:00Z'))).toISOString()).toBe('2026-01-03T00:00:00.000Z');
  expect(quotaExhausted(Date.parse('2026-01-01T23:59:58.500Z')).retryAfterSeconds).toBe(2);
});

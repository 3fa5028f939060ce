import { beforeEach, describe, expect, test } from '@jest/globals';
import { Problem } from '../src/problems.ts';
import { Gate } from '../src/upstream/gate.ts';
import { endOfDay, quotaExhausted } from '../src/upstream/quota/day.ts';
import { FakeClock } from './support/clock.ts';

let clock: FakeClock;
let gate: Gate;
let changes: boolean[];

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
  gate = new Gate(clock, {
    probeEveryMs: 60_000,
    problem: () => new Problem('upstream-credentials-refused'),
    onChange: (shut) => changes.push(shut),
  });
});

const passes = () => {
  try {
    gate.check();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'upstream-credentials-refused' });
    return false;
  }
};

describe('a gate', () => {
  test('lets everything through until it is shut, and then one probe in its time', async () => {
    expect(passes() && passes()).toBe(true);
    gate.shut();
    gate.shut();
    expect(passes()).toBe(false);
    await clock.pass(60_000);
    expect([passes(), passes()]).toEqual([true, false]);
    gate.open();
    gate.open();
    expect(passes()).toBe(true);
    expect(changes).toEqual([true, false]);
  });

  test('opens by itself when its time is over', async () => {
    gate.shut(clock.now() + 30_000);
    await clock.pass(29_999);
    expect(passes()).toBe(false);
    await clock.pass(1);
    expect(passes() && passes()).toBe(true);
    expect(gate.isShut).toBe(false);
  });

  test('lets a probe through at once when what was refused has been replaced', () => {
    gate.probeNow();
    expect(gate.isShut).toBe(false);
    gate.shut();
    gate.probeNow();
    expect([passes(), passes()]).toEqual([true, false]);
  });
});

test('the day ends at 00:00 UTC, and Retry-After says so', () => {
  expect(new Date(endOfDay(Date.parse('2026-01-01T12:00:00Z'))).toISOString()).toBe('2026-01-02T00:00:00.000Z');
  expect(new Date(endOfDay(Date.parse('2026-01-02T00:00:00Z'))).toISOString()).toBe('2026-01-03T00:00:00.000Z');
  expect(quotaExhausted(Date.parse('2026-01-01T23:59:58.500Z')).retryAfterSeconds).toBe(2);
});

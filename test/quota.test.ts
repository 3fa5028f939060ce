/**
 * The quota of one instance, on a fake clock.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Problem } from '../src/problems.ts';
import { Demand, type Urgency } from '../src/quota/demand.ts';
import { Quota, type QuotaOptions } from '../src/quota/quota.ts';
import { dayPart } from '../src/quota/stored-day.ts';
import { StateFile } from '../src/storage/state-file.ts';
import { FakeClock } from './support/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-quota-'));

let clock: FakeClock;
let quota: Quota;
let starts: { at: number; team: string; urgency: Urgency }[];
let waits: { team: string; seconds: number }[];
let events: string[];
let file: StateFile;

function build(options: Partial<QuotaOptions> = {}, weights: Record<string, number> = {}, stateFile = '') {
  file = new StateFile(stateFile, {
    unreadable: () => events.push('unreadable'),
    unwritable: () => events.push('unwritable'),
    writable: () => events.push('writable'),
  });
  quota = new Quota(
    {
      clock,
      keptDay: file.open(dayPart),
      teams: new Map(Object.entries(weights).map(([team, weight]) => [team, { weight }])),
      events: {
        waited: (team, _urgency, seconds) => waits.push({ team, seconds }),
        passed: (percent) => events.push(`passed ${percent}`),
        teamSpent: ({ team }) => events.push(`spent ${team}`),
        teamRefused: ({ team }, limit) => events.push(`refused ${team} by its ${limit}`),
      },
    },
    { perSecond: 4, perDay: 10_000, reserve: 5, maxWaitMs: 8_000, maxQueue: 1_000, ...options },
  );
}

function reset() {
  clock = new FakeClock();
  starts = [];
  waits = [];
  events = [];
}

beforeEach(() => {
  reset();
  build();
});

interface Wish {
  readonly team?: string;
  readonly urgency?: Urgency;
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
  /** Response time of the upstream. */
  readonly latencyMs?: number;
  readonly demand?: Demand;
}

async function ask({ team = 'a', urgency = 'interactive', waitMs = 1e9, signal, latencyMs = 50, demand }: Wish = {}) {
  const permit = await quota.take(demand ?? new Demand(team, urgency), waitMs, signal);
  starts.push({ at: clock.now(), team, urgency });
  clock.after(latencyMs, () => permit.done(true));
}

/** Asks without waiting; a refusal is recorded as an event. */
function want(wish: Wish = {}) {
  ask(wish).catch((error: Problem) => events.push(error.code ?? error.message));
}

/** The most events within any second. */
function busiest(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
}

describe('the limit of a second', () => {
  test('lets four calls start at once, and the others when it is over, in order', async () => {
    for (let n = 0; n < 9; n++) want();
    await clock.pass(0);
    expect(starts).toHaveLength(4);
    await clock.pass(1_100);
    expect(starts).toHaveLength(8);
    await clock.pass(1_100);
    expect(starts).toHaveLength(9);
  });

  test("lets as many calls start as a partner's limit allows", async () => {
    build({ perSecond: 10, perDay: 250_000 });
    for (let n = 0; n < 25; n++) want();
    await clock.pass(0);
    expect(starts).toHaveLength(10);
    await clock.pass(2_200);
    expect(starts).toHaveLength(25);
    expect(busiest(starts.map(({ at }) => at))).toBe(10);
  });

  test('holds for every second, like the limit of the day, and no permit is wasted', async () => {
    const arrivals = fc.array(fc.tuple(fc.nat(1_500), fc.constantFrom('a', 'b', 'c'), fc.nat(700)), {
      minLength: 1,
      maxLength: 50,
    });
    await fc.assert(
      fc.asyncProperty(arrivals, fc.constantFrom(12, 10_000), fc.boolean(), async (calls, perDay, steady) => {
        reset();
        build({ maxWaitMs: 600_000, perDay, reserve: 0 });
        for (const [gap, team, latencyMs] of calls) {
          await clock.pass(gap);
          want({ team, latencyMs: steady ? 50 : latencyMs });
        }
        await clock.pass(120_000);
        const times = starts.map(({ at }) => at);
        expect(busiest(times)).toBeLessThanOrEqual(4);
        expect(starts).toHaveLength(Math.min(calls.length, perDay));
        expect(events.filter((event) => event === 'upstream-quota-exhausted')).toHaveLength(
          calls.length - starts.length,
        );
        if (!steady) return;
        // Work-conserving: a call that had to wait started as soon as the fourth start before it was a second old.
        const due = [...waits.keys()].filter((n) => (waits[n]?.seconds ?? 0) > 0);
        for (const n of due)
          if (n >= 4 && n < times.length) expect((times[n] ?? 0) - (times[n - 4] ?? 0)).toBeLessThanOrEqual(1_120);
      }),
      { numRuns: 60 },
    );
  });

  test('holds for arrivals too, when calls are delayed on their way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(900), { minLength: 20, maxLength: 40 }), fc.nat(15), async (delays, lucky) => {
        reset();
        delays[lucky] = 0; // the shortest round trip has to be observed first
        build({ maxWaitMs: 600_000 });
        const arrived: number[] = [];
        for (const delay of delays) {
          quota.take(new Demand('a', 'interactive'), 1e9).then(
            (permit) => {
              arrived.push(clock.now() + 20 + delay);
              clock.after(20 + delay + 30, () => permit.done(true));
            },
            () => {},
          );
        }
        await clock.pass(120_000);
        expect(arrived).toHaveLength(delays.length);
        expect(busiest(arrived)).toBeLessThanOrEqual(4);
      }),
      { numRuns: 60 },
    );
  });

  test('is occupied one second longer by calls that never end', async () => {
    for (let n = 0; n < 8; n++) want({ latencyMs: 1e6 });
    await clock.pass(1_900);
    expect(starts).toHaveLength(4);
    await clock.pass(200);
    expect(starts).toHaveLength(8);
  });

  test('is halved once per burst, however many of its calls are refused', async () => {
    build({ maxWaitMs: 600_000 });
    for (let n = 0; n < 4; n++) {
      quota.complain();
      await clock.pass(100);
    }
    expect(quota.status().perSecond).toBe(2);
    await clock.pass(1_000);
    quota.complain();
    expect(quota.status().perSecond).toBe(1);
  });

  test('is lowered when the upstream complains, and recovers step by step', async () => {
    build({ maxWaitMs: 600_000 });
    quota.complain();
    for (let n = 0; n < 400; n++) want();
    await clock.pass(900);
    expect(starts).toHaveLength(0);
    await clock.pass(4_100);
    const slow = starts.length;
    expect(slow).toBeGreaterThanOrEqual(6);
    expect(slow).toBeLessThanOrEqual(10);
    await clock.pass(15_000);
    const before = starts.length;
    await clock.pass(10_000);
    expect(starts.length - before).toBeGreaterThanOrEqual(38);
  });
});

describe('a wait', () => {
  test('that would be too long is refused immediately, with `Retry-After`', async () => {
    const waiting = Array.from({ length: 32 }, () => ask());
    await expect(ask()).rejects.toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 9 });
    await expect(ask({ waitMs: 500 })).rejects.toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 9 });
    expect(quota.waiting).toBe(28);
    await clock.pass(9_000);
    await Promise.all(waiting);
  });

  test('ends at its deadline, even if the estimate was shorter', async () => {
    build({ maxWaitMs: 2_000 });
    for (let n = 0; n < 7; n++) want();
    const late = ask().catch((error: Problem) => error.code);
    await clock.pass(900);
    quota.complain();
    await clock.pass(1_099);
    expect(quota.waiting).toBe(2);
    await clock.pass(1);
    expect(await late).toBe('upstream-busy');
  });

  test('costs nothing when the caller disconnects', async () => {
    for (let n = 0; n < 4; n++) want();
    const leaver = new AbortController();
    const left = ask({ signal: leaver.signal });
    const stayed = ask();
    await clock.pass(0);
    leaver.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    await clock.pass(1_100);
    await stayed;
    expect(starts).toHaveLength(5);
    await expect(ask({ signal: AbortSignal.abort(new Error('gone before')) })).rejects.toThrow('gone before');
    expect(quota.waiting).toBe(0);
    expect(quota.status().callsToday).toBe(5);
  });

  test('is refused when the queue is full', async () => {
    build({ maxQueue: 3, maxWaitMs: 600_000 });
    for (let n = 0; n < 8; n++) want();
    want({ team: 'b' });
    await clock.pass(0);
    expect(events).toEqual(['upstream-busy']);
    expect(quota.waiting).toBe(4);
  });

  test('ends for all when calls would fail', async () => {
    for (let n = 0; n < 10; n++) want();
    await clock.pass(0);
    quota.refuseWaiting(new Problem('upstream-credentials-refused'));
    await clock.pass(0);
    expect(events).toEqual(Array(6).fill('upstream-credentials-refused'));
    quota.close();
  });
});

describe('teams', () => {
  const count = (team: string) => starts.filter((start) => start.team === team).length;

  test('that all want everything get calls by weight, within a twentieth', async () => {
    build({ maxWaitMs: 1e9 }, { a: 1, b: 1, c: 2 });
    for (let n = 0; n < 300; n++) for (const team of ['a', 'b', 'c']) want({ team });
    await clock.pass(60_000);
    expect(starts.length).toBeGreaterThan(235);
    for (const [team, share] of [
      ['a', 1 / 4],
      ['b', 1 / 4],
      ['c', 1 / 2],
    ] as const) {
      expect(Math.abs(count(team) / starts.length / share - 1)).toBeLessThan(0.05);
    }
  });

  test('that want little are not delayed by one that wants everything', async () => {
    build({ maxWaitMs: 1e9 }, { greedy: 1, light: 1 });
    for (let n = 0; n < 500; n++) want({ team: 'greedy' });
    for (let second = 0; second < 60; second++) {
      await clock.pass(1_000);
      want({ team: 'light' });
    }
    await clock.pass(2_000);
    const light = waits
      .filter(({ team }) => team === 'light')
      .map(({ seconds }) => seconds)
      .sort((a, b) => a - b);
    expect(light).toHaveLength(60);
    expect(light[Math.floor(light.length * 0.95)]).toBeLessThan(1);
    expect(starts.length).toBeGreaterThan(235); // the greedy team takes what the light one leaves
  });

  test('that were idle have no credit', async () => {
    build({ maxWaitMs: 1e9 }, { a: 1, b: 1 });
    for (let n = 0; n < 200; n++) want({ team: 'a' });
    await clock.pass(20_000);
    for (let n = 0; n < 100; n++) want({ team: 'b' });
    starts = [];
    await clock.pass(10_000);
    expect(Math.abs(count('a') - count('b'))).toBeLessThanOrEqual(2);
  });
});

describe('urgency', () => {
  test('serves interactive requests first, and starves no others', async () => {
    build({ maxWaitMs: 1e9 });
    for (let n = 0; n < 300; n++) for (const urgency of ['bulk', 'refresh', 'interactive'] as const) want({ urgency });
    await clock.pass(60_000);
    const share = (urgency: Urgency) => starts.filter((start) => start.urgency === urgency).length / starts.length;
    expect(share('interactive')).toBeGreaterThan(0.75);
    expect(share('refresh')).toBeGreaterThan(0.1);
    expect(share('bulk')).toBeGreaterThan(0.03);
  });

  test('rises when a more urgent caller joins a demand, and that caller pays', async () => {
    build({ maxWaitMs: 1e9 });
    for (let n = 0; n < 40; n++) want({ urgency: 'interactive' });
    const demand = new Demand('a', 'bulk');
    const raised = ask({ demand, team: 'raised' });
    await clock.pass(0);
    demand.join({ team: 'b' }, 'interactive');
    demand.join({ team: 'c' }, 'refresh');
    expect([demand.team, demand.urgency]).toEqual(['b', 'interactive']);
    await clock.pass(1_200);
    await raised;
    expect(starts.findIndex(({ team }) => team === 'raised')).toBeLessThan(8);
  });

  test('rises in all calls that are made for one demand', async () => {
    build({ maxWaitMs: 1e9 });
    for (let n = 0; n < 40; n++) want({ urgency: 'interactive' });
    const demand = new Demand('a', 'bulk');
    const both = Promise.all([ask({ demand, team: 'one' }), ask({ demand, team: 'other' })]);
    await clock.pass(0);
    demand.join({ team: 'b' }, 'interactive');
    await clock.pass(2_400);
    await both;
    for (const one of ['one', 'other']) expect(starts.findIndex(({ team }) => team === one)).toBeLessThan(12);
  });
});

describe('a bulk walk', () => {
  /** So much of others' that nobody else would be let in. */
  function crowd(): void {
    build({}, { a: 1, b: 1 });
    for (let n = 0; n < 12; n++) want({ team: 'b', urgency: 'bulk' });
    const keepAsking = (): void => {
      for (let n = 0; n < 4; n++) want({ team: 'a' });
      clock.after(1_000, keepAsking);
    };
    keepAsking();
  }

  test('may queue longer than a caller', async () => {
    crowd();
    const waiting = ask({ team: 'b', urgency: 'bulk', waitMs: 120_000 });
    const ofB = () => starts.filter(({ team }) => team === 'b').length;
    await clock.pass(9_000);
    expect(ofB()).toBeLessThan(12);
    await clock.pass(100_000);
    await waiting;
    expect(ofB()).toBe(13);
    for (let n = 0; n < 12; n++) want({ team: 'b', urgency: 'bulk' });
    await expect(ask({ team: 'b', urgency: 'bulk', waitMs: 1_000 })).rejects.toMatchObject({ code: 'upstream-busy' });
  });

  test('queues no longer than a caller once a caller has joined it', async () => {
    build({ perSecond: 1 });
    await ask();
    const demand = new Demand('a', 'bulk');
    const waiting = ask({ demand, waitMs: 120_000 }).catch(({ code }: Problem) => code);
    // Nothing is granted for a while, and the caller is refused in time.
    quota.complain();
    for (let n = 0; n < 40; n++) {
      quota.complain();
      await clock.pass(100);
    }
    demand.join({ team: 'b' }, 'interactive');
    for (let n = 0; n < 79; n++) {
      quota.complain();
      await clock.pass(100);
    }
    expect(starts).toHaveLength(1);
    for (let n = 0; n < 2; n++) {
      quota.complain();
      await clock.pass(100);
    }
    expect(await waiting).toBe('upstream-busy');
  });
});

describe('the day', () => {
  const state = join(folder, 'quota.json');

  test('has a limit, keeps a reserve for interactive requests, and ends at midnight UTC', async () => {
    build({ perDay: 40, reserve: 10, maxWaitMs: 1e9 });
    clock = new FakeClock(Date.parse('2026-01-01T23:58:00Z'));
    build({ perDay: 40, reserve: 10, maxWaitMs: 1e9 });
    for (let n = 0; n < 50; n++) want({ urgency: 'refresh' });
    await clock.pass(20_000);
    expect(starts).toHaveLength(36);
    for (let n = 0; n < 50; n++) want();
    await clock.pass(20_000);
    expect(starts).toHaveLength(40);
    await expect(ask()).rejects.toMatchObject({ code: 'upstream-quota-exhausted', retryAfterSeconds: 80 });
    expect(quota.status()).toMatchObject({ callsToday: 40, leftToday: 0, dayEndsAt: '2026-01-02T00:00:00.000Z' });
    await clock.pass(79_999);
    await expect(ask()).rejects.toMatchObject({ code: 'upstream-quota-exhausted', retryAfterSeconds: 1 });
    await clock.pass(1);
    await ask();
    expect(quota.status()).toMatchObject({ callsToday: 1, leftToday: 39 });
  });

  test('reports 50, 80, 95 and 100 percent once each', async () => {
    build({ perDay: 40, reserve: 0, maxWaitMs: 1e9 });
    for (let n = 0; n < 60; n++) want();
    await clock.pass(30_000);
    expect(events.filter((event) => event.startsWith('passed'))).toEqual([
      'passed 50',
      'passed 80',
      'passed 95',
      'passed 100',
    ]);
  });

  test('reports a percentage once, though calls are given back and made again', async () => {
    build({ perDay: 2, reserve: 0, perSecond: 1_000 });
    for (let n = 0; n < 3; n++) (await quota.take(new Demand('a', 'interactive'), 1e9)).giveBack();
    expect([quota.status().callsToday, events]).toEqual([0, ['passed 50']]);
    await clock.pass(86_400_000);
    await ask();
    expect(events).toEqual(['passed 50', 'passed 50']);
  });

  test('reports what it has passed when its limit is changed, and anew when that was too much', async () => {
    const passed = () => events.splice(0).filter((event) => event.startsWith('passed'));
    const options = { perSecond: 4, perDay: 20, reserve: 0, maxWaitMs: 1e9, maxQueue: 1_000 };
    build(options);
    for (let n = 0; n < 13; n++) want();
    await clock.pass(10_000);
    expect(passed()).toEqual(['passed 50']);
    quota.reconfigure({ ...options, perDay: 12 }, new Map());
    expect(passed()).toEqual(['passed 100']);
    quota.reconfigure({ ...options, perDay: 20 }, new Map());
    for (let n = 0; n < 7; n++) want();
    await clock.pass(10_000);
    expect(passed()).toEqual(['passed 80', 'passed 95', 'passed 100']);
  });

  test('reports after a restart how much of it was passed', async () => {
    const state = join(folder, 'passed.json');
    build({ perDay: 20, reserve: 0, maxWaitMs: 1e9 }, {}, state);
    for (let n = 0; n < 17; n++) want();
    await clock.pass(10_000);
    expect(events.splice(0)).toEqual(['passed 50', 'passed 80']);
    await file.written();
    build({ perDay: 20 }, {}, state);
    expect(events).toEqual(['passed 80']);
  });

  test('survives a restart, even an abrupt one', async () => {
    build({}, {}, state);
    for (let n = 0; n < 4; n++) want();
    await clock.pass(10);
    await file.written();
    expect(JSON.parse(readFileSync(state, 'utf8'))).toMatchObject({ day: '2026-01-01', calls: 4 });
    build({}, {}, state);
    expect(quota.status().callsToday).toBe(4);
    await clock.pass(86_400_000);
    build({}, {}, state);
    expect(quota.status().callsToday).toBe(0);
    expect(events).toEqual([]);
  });

  test('is counted in memory if its file is unreadable or unwritable, which is reported', async () => {
    writeFileSync(state, 'nonsense');
    build({}, {}, state);
    expect(events).toEqual(['unreadable']);
    build({}, {}, join(folder, 'no', 'such', 'folder'));
    for (let n = 0; n < 3; n++) want();
    await clock.pass(10);
    await file.written();
    expect(starts).toHaveLength(3);
    expect(events).toEqual(['unreadable', 'unwritable']);
  });

  test('is ample while more than half of an even pace is left and nothing is queued', async () => {
    build({ perDay: 10, reserve: 0, maxWaitMs: 1e9 });
    expect(quota.isAmple).toBe(true);
    for (let n = 0; n < 7; n++) want();
    await clock.pass(0);
    expect(quota.isAmple).toBe(false);
    await clock.pass(2_000);
    expect(quota.waiting).toBe(0);
    expect(quota.isAmple).toBe(true); // 3 left at noon instead of 5
    want();
    await clock.pass(2_000);
    expect(quota.isAmple).toBe(false);
  });
});

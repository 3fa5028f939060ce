/**
 * The day's calls are shared: whatever one team or client does, the others get their share. On a fake clock.
 */
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Problem } from '../../src/problems.ts';
import type { TeamShare } from '../../src/quota/day-shares.ts';
import { Demand, type Urgency } from '../../src/quota/demand.ts';
import { Quota } from '../../src/quota/quota.ts';
import { dayPart } from '../../src/quota/stored-day.ts';
import { StateFile } from '../../src/storage/state-file.ts';
import { FakeClock } from '../support/clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-day-'));
const midnight = Date.parse('2026-01-01T00:00:00Z');
const hourMs = 3_600_000;

let clock: FakeClock;
let quota: Quota;
let teams: Record<string, TeamShare>;
let options: { perDay: number; reserve: number };
let stateFile: string;
let events: string[];
let file: StateFile | undefined;

/** Starts or restarts a quota. */
async function build(): Promise<void> {
  await file?.written();
  file = new StateFile(stateFile, { unreadable: () => {}, unwritable: () => {}, writable: () => {} });
  quota = new Quota(
    {
      clock,
      keptDay: file.open(dayPart),
      teams: new Map(Object.entries(teams)),
      events: {
        waited: () => {},
        passed: () => {},
        teamSpent: ({ team, calls, borrowed }) => events.push(`${team} borrows ${borrowed}, has ${calls}`),
        teamRefused: ({ team, calls }, limit) => events.push(`${team} refused by its ${limit}, has ${calls}`),
      },
    },
    { perSecond: 1_000, maxWaitMs: 8_000, maxQueue: 1_000, ...options },
  );
}

beforeEach(() => {
  clock = new FakeClock(midnight);
  teams = { a: { weight: 1 }, b: { weight: 1 } };
  options = { perDay: 100, reserve: 0 };
  stateFile = '';
  events = [];
});

interface Wish {
  readonly client?: string;
  readonly urgency?: Urgency;
}

/** Makes one call if allowed. Returns the refusal. */
async function call(team: string, { client, urgency = 'interactive' }: Wish = {}): Promise<Problem | undefined> {
  if (client !== undefined) quota.seen(team, client);
  const taking = quota.take(new Demand(team, urgency, client), 1e9);
  const permit = await Promise.race([taking, clock.pass(1).then(() => taking)]).catch((error: unknown) => error);
  if (permit instanceof Problem) return permit;
  (permit as Awaited<typeof taking>).done(true);
  await clock.pass(2);
  return undefined;
}

/** Calls until refused. Returns the number of calls. */
async function drain(team: string, wish: Wish = {}, most = 10_000): Promise<number> {
  for (let made = 0; made < most; made++) if (await call(team, wish)) return made;
  return most;
}

const at = async (hours: number) => clock.pass(midnight + hours * hourMs - clock.now());
const dayOf = (team: string) => quota.status().teams.find((one) => one.team === team);

describe('a greedy team from the first second', () => {
  test('leaves every other team its share', async () => {
    teams = { a: { weight: 1 }, b: { weight: 2 }, default: { weight: 1 } };
    await build();
    expect(await drain('a')).toBe(25);
    expect(await drain('b')).toBe(50);
    expect(await drain('default')).toBe(25);
    expect(quota.status()).toMatchObject({ callsToday: 100, leftToday: 0 });
  });

  test('borrows what others do not use, more as the day passes, and nearly everything by its end', async () => {
    options = { ...options, perDay: 400 };
    await build();
    expect(await drain('a')).toBe(200);
    await at(12);
    expect(await drain('a')).toBeGreaterThanOrEqual(98);
    expect(dayOf('a')).toMatchObject({ part: 200, borrowed: expect.any(Number) });
    for (let minutes = 0; minutes < 12 * 60 - 60; minutes += 10) {
      await clock.pass(10 * 60_000);
      await drain('a');
    }
    await at(23.98);
    await drain('a');
    expect(dayOf('a')?.calls).toBeGreaterThanOrEqual(398);
    expect(dayOf('a')?.borrowed).toBe((dayOf('a')?.calls ?? 0) - 200);
  });

  test('leaves a team that arrives at noon half of its share, for any number of others', async () => {
    teams = { a: { weight: 1 }, b: { weight: 1 }, c: { weight: 1 } };
    options = { ...options, perDay: 300 };
    await build();
    await at(12);
    expect(await drain('a')).toBe(200);
    expect(await drain('b')).toBeGreaterThanOrEqual(49);
    expect(await drain('c')).toBeGreaterThanOrEqual(49);
  });

  test('sees which share is spent, and when lending allows another call', async () => {
    options = { ...options, perDay: 400 };
    await build();
    await drain('a');
    const refused = await call('a');
    expect(refused).toMatchObject({ code: 'upstream-quota-exhausted', reason: 'share' });
    expect(refused?.message).toMatch(/team's share/);
    expect(events).toEqual(['a refused by its share, has 200']);
    const seconds = refused?.retryAfterSeconds ?? 0;
    await clock.pass((seconds - 1) * 1000 - 10);
    expect((await call('a'))?.retryAfterSeconds).toBeLessThanOrEqual(2);
    await clock.pass(1_000);
    expect(await call('a')).toBeUndefined();

    await drain('b');
    await at(23.99);
    await drain('a');
    await drain('b');
    await drain('a');
    expect(quota.status().leftToday).toBe(0);
    const over = await call('b');
    expect(over).toMatchObject({ code: 'upstream-quota-exhausted', reason: 'quota' });
    expect(over?.retryAfterSeconds).toBe(Math.ceil((midnight + 24 * hourMs - clock.now()) / 1000));
  });

  test('with a cap stays below it, alone or not, and lends what the cap leaves', async () => {
    teams = { a: { weight: 1, callsPerDay: 10 }, b: { weight: 1 } };
    await build();
    expect(await drain('a')).toBe(10);
    expect((await call('a'))?.message).toMatch(/callsPerDay/);
    expect(await drain('b')).toBe(90);
    await at(23.9);
    expect(await drain('a')).toBe(0);
  });

  test('may not borrow the reserve for interactive requests', async () => {
    options = { ...options, reserve: 10 };
    await build();
    expect(await drain('a', { urgency: 'refresh' })).toBe(40);
    expect(await drain('a')).toBe(10);
  });
});

describe('the log', () => {
  test('says once a day that a team borrows, and once that its share refuses it', async () => {
    options = { ...options, perDay: 20 };
    await build();
    await at(20);
    expect(await drain('a', {}, 10)).toBe(10);
    expect(events).toEqual([]);
    expect(await drain('a')).toBe(8);
    await at(23);
    await drain('a');
    const borrowed = ['a borrows 1, has 11', 'a refused by its share, has 18'];
    expect(events).toEqual(borrowed);
    await at(24 + 20);
    await drain('a');
    expect(events).toEqual([...borrowed, ...borrowed]);
  });

  test('says that a cap refuses a team, also after its share did, and of no borrowing where the cap forbids it', async () => {
    teams = { a: { weight: 1, callsPerDay: 10 }, b: { weight: 1 }, c: { weight: 1, callsPerDay: 60 } };
    await build();
    await drain('a');
    await drain('a');
    expect(events).toEqual(['a refused by its cap, has 10']);
    events = [];
    await drain('c');
    await at(23.9);
    await drain('c');
    await drain('c');
    expect(events).toEqual(['c borrows 1, has 34', 'c refused by its share, has 57', 'c refused by its cap, has 60']);
  });

  test('does not blame a team for the reserve, or for another client', async () => {
    teams = { a: { weight: 1 } };
    options = { ...options, reserve: 50 };
    await build();
    await drain('a', { urgency: 'bulk' });
    expect((await call('a', { urgency: 'bulk' }))?.message).toMatch(/interactive/);
    await call('a', { client: '1' });
    await call('a', { client: '2' });
    await drain('a', { client: '1' });
    expect((await call('a', { client: '1' }))?.message).toMatch(/other clients/);
    expect(events).toEqual([]);
  });

  test('names the reserve where it refuses, although the calls that are left exceed it', async () => {
    options = { ...options, reserve: 20 };
    await build();
    expect(await drain('b', {}, 10)).toBe(10);
    expect(await drain('a', { urgency: 'bulk' })).toBe(30);
    expect((await call('a', { urgency: 'bulk' }))?.message).toMatch(/interactive/);
    expect(events).toEqual([]);
  });
});

describe('clients of one team', () => {
  beforeEach(() => {
    teams = { default: { weight: 1 } };
  });

  test('may use everything while alone', async () => {
    await build();
    expect(await drain('default', { client: 'x' })).toBe(100);
  });

  test('leave the others half as soon as there are any', async () => {
    await build();
    quota.seen('default', 'y');
    expect(await drain('default', { client: 'x' })).toBe(50);
    expect((await call('default', { client: 'x' }))?.message).toMatch(/other clients/);
    expect(await drain('default', { client: 'y' })).toBe(50);
  });

  test('unseen for a day have nothing reserved', async () => {
    await build();
    quota.seen('default', 'y');
    quota.seen('default', 'x');
    await clock.pass(24.5 * hourMs);
    expect(await drain('default', { client: 'x' })).toBe(100);
  });

  test('share what is left after other teams have borrowed', async () => {
    teams = { a: { weight: 1 }, default: { weight: 1 } };
    options = { ...options, perDay: 400 };
    await build();
    quota.seen('default', 'x');
    quota.seen('default', 'y');
    await at(12);
    await drain('a');
    const [x, y] = [await drain('default', { client: 'x' }), await drain('default', { client: 'y' })];
    expect(x + y).toBeGreaterThanOrEqual(98);
    expect(y).toBeGreaterThanOrEqual(24);
  });
});

describe('the queue', () => {
  const wait = (team: string, client?: string) => quota.take(new Demand(team, 'interactive', client), 1e9);

  beforeEach(() => {
    options = { ...options, perDay: 10_000 };
    quota = new Quota(
      {
        clock,
        teams: new Map(Object.entries(teams)),
        events: { waited: () => {}, passed: () => {}, teamSpent: () => {}, teamRefused: () => {} },
      },
      { perSecond: 4, maxWaitMs: 8_000, maxQueue: 10, ...options },
    );
  });

  test('of one client delays no other client of its team', async () => {
    const order: string[] = [];
    const ask = (client: string) => void wait('a', client).then((permit) => order.push(client) && permit.done(true));
    for (let n = 0; n < 12; n++) ask('x');
    ask('y');
    await clock.pass(1_100);
    expect(order.indexOf('y')).toBeLessThan(8);
  });

  test('keeps its last position for another client', async () => {
    const outcomes: string[] = [];
    const ask = (client: string) =>
      void wait('a', client).then(
        (permit) => permit.done(true),
        ({ code }: Problem) => outcomes.push(`${client} ${code}`),
      );
    for (let n = 0; n < 15; n++) ask('x');
    ask('y');
    await clock.pass(0);
    expect(outcomes).toEqual(['x upstream-busy', 'x upstream-busy']);
  });

  test('moves a call to the flow of a joining team that would be served sooner', async () => {
    for (let n = 0; n < 8; n++) void wait('a').then((permit) => permit.done(true));
    const demand = new Demand('a', 'interactive');
    let at = Number.NaN;
    void quota.take(demand, 1e9).then((permit) => {
      at = clock.now();
      permit.done(true);
    });
    for (let n = 0; n < 2; n++) void wait('a').then((permit) => permit.done(true));
    await clock.pass(10);
    demand.join({ team: 'b' }, 'interactive');
    await clock.pass(5_000);
    expect(at - midnight).toBeLessThan(1_200);
    expect(dayOf('b')?.calls).toBe(1);
  });
});

describe('a call that two teams want', () => {
  test('is charged to the second team when the first has spent its share', async () => {
    options = { ...options, perDay: 10 };
    await build();
    await drain('a');
    const demand = new Demand('a', 'interactive');
    demand.join({ team: 'b' }, 'interactive');
    const permit = await quota.take(demand, 1e9);
    permit.done(true);
    expect(dayOf('b')?.calls).toBe(1);
  });
});

test('a clock set back over midnight brings no call back, and does not end the day', async () => {
  teams = { a: { weight: 1 }, b: { weight: 1 } };
  await build();
  expect(await drain('a')).toBe(50);
  clock.stepWall(-hourMs);
  expect(quota.status()).toMatchObject({ callsToday: 50, dayEndsAt: '2026-01-02T00:00:00.000Z' });
  const refused = await call('a');
  expect(refused?.retryAfterSeconds).toBeGreaterThan(3600);
  expect(await drain('b')).toBe(50);
});

describe('With the clock set far off for a moment,', () => {
  const tenYears = 3_652 * 24 * hourMs;
  const today = { dayEndsAt: '2026-01-02T00:00:00.000Z' };
  beforeEach(async () => {
    await build();
    await at(12);
    await drain('a', {}, 20);
  });

  test.each([
    ['ten years ahead', tenYears],
    ['a day ahead', 24 * hourMs],
    ['into the next day', 14 * hourMs],
    ['ten years back', -tenYears],
    ['a day back', -24 * hourMs],
  ])('%s, all calls of the day count, and the next day begins on time', async (_, ms) => {
    clock.stepWall(ms);
    await drain('b', {}, 5);
    clock.stepWall(-ms);
    await drain('a', {}, 5);
    expect(quota.status()).toMatchObject({ ...today, callsToday: 30 });
    expect([dayOf('a')?.calls, dayOf('b')?.calls]).toEqual([25, 5]);
    await drain('b');
    await drain('a');
    expect(quota.status()).toMatchObject({ ...today, callsToday: 100 });
    await at(24.1);
    expect(quota.status()).toMatchObject({ dayEndsAt: '2026-01-03T00:00:00.000Z', callsToday: 0 });
    expect(await drain('a')).toBe(50);
  });

  test('and again and again, each call counts once', async () => {
    for (let n = 0; n < 5; n++) {
      for (const ms of [tenYears, -tenYears, -tenYears, tenYears]) {
        clock.stepWall(ms);
        await call('b');
      }
    }
    expect(quota.status()).toMatchObject({ ...today, callsToday: 40 });
  });

  test('or set right after days, the day begins with no calls', async () => {
    clock.stepWall(3 * 24 * hourMs);
    expect(quota.status()).toMatchObject({ dayEndsAt: '2026-01-05T00:00:00.000Z', callsToday: 0 });
  });
});

test('calls of no team are taken from all teams in proportion', async () => {
  await build();
  for (let n = 0; n < 10; n++) expect(await call('')).toBeUndefined();
  expect(await drain('a')).toBe(45);
  expect(await drain('b')).toBe(45);
});

describe('after a restart', () => {
  test('the calls and shares of every team are restored, from a file readable by its owner only', async () => {
    stateFile = join(folder, 'day.json');
    process.umask(0o022);
    await build();
    await drain('a');
    await build();
    expect(await drain('a')).toBe(0);
    expect(await drain('b')).toBe(50);
    await file?.written();
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(stateFile, 'utf8'))).toMatchObject({ calls: 100 });
  });

  test('with a clock that is right only later, the calls of the day count', async () => {
    stateFile = join(folder, 'late.json');
    await build();
    await at(12);
    await drain('a', {}, 20);
    for (const ms of [-1_000 * 24 * hourMs, 1_000 * 24 * hourMs]) {
      clock.stepWall(ms);
      await build();
      clock.stepWall(-ms);
      expect(quota.status()).toMatchObject({ callsToday: 20 });
    }
  });

  test('what was counted while the clock was ahead counts for today', async () => {
    stateFile = join(folder, 'ahead.json');
    clock.stepWall(1_000 * 24 * hourMs);
    await build();
    await drain('a', {}, 20);
    clock.stepWall(-1_000 * 24 * hourMs);
    await build();
    expect(quota.status()).toMatchObject({ dayEndsAt: '2026-01-02T00:00:00.000Z', callsToday: 20 });
  });
});

/**
 * Teams of random weights, one of them greedy all day, the others arriving at random. At any moment, a team can make as many
 * calls as it keeps, one after another.
 */
test('a team can always make the calls that it keeps, over random weights, arrivals and restarts', async () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 5 });
  const steps = fc.array(
    fc.record({
      minutes: fc.integer({ min: 1, max: 240 }),
      team: fc.nat(4),
      calls: fc.integer({ min: 1, max: 60 }),
      restart: fc.boolean(),
    }),
    { minLength: 1, maxLength: 15 },
  );
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(weights, steps, async (all, visits) => {
      clock = new FakeClock(midnight);
      teams = Object.fromEntries(all.map((weight, n) => [`t${n}`, { weight }]));
      options = { perDay: 200, reserve: 0 };
      stateFile = join(folder, `${runs++}.json`);
      await build();
      const sum = all.reduce((total, weight) => total + weight, 0);
      const part = (team: number) => (200 * (all[team] ?? 0)) / sum;
      const made = all.map(() => 0);
      const greedy = all.length - 1;
      made[greedy] = await drain(`t${greedy}`);
      for (const { minutes, team: drawn, calls, restart } of visits) {
        if (clock.now() + minutes * 60_000 + 3 * hourMs > midnight + 24 * hourMs) break;
        await clock.pass(minutes * 60_000);
        if (restart) await build();
        const team = drawn % all.length;
        const rest = 1 - (clock.now() - midnight) / (24 * hourMs);
        const isFirst = made[team] === 0;
        const got = await drain(`t${team}`, {}, calls);
        made[team] = (made[team] ?? 0) + got;
        // A team without calls so far is sure of its share of the rest of the day.
        if (isFirst && team !== greedy)
          expect(got).toBeGreaterThanOrEqual(Math.min(calls, Math.floor(part(team) * rest) - 1));
        made[greedy] = (made[greedy] ?? 0) + (await drain(`t${greedy}`));
      }
      const total = made.reduce((calls, more) => calls + more, 0);
      expect(total).toBe(quota.status().callsToday);
      expect(total).toBeLessThanOrEqual(200);
    }),
    { numRuns: 25 },
  );
});

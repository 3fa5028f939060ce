/**
 * The day's shares as one instance counts them, and as Redis does for all.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis as Client } from 'ioredis';
import { DayShares, partsOf, type TeamCalls, type TeamPart } from '../src/quota/day-shares.ts';
import { loadScript, runScript } from '../src/redis/scripts.ts';
import { type Day, type NewDay, part, type Step, testDayShares } from './conformance/day-shares.ts';
import { RedisServer } from './support/redis.ts';

let server: RedisServer;
let client: Client;
beforeAll(async () => {
  server = await RedisServer.start();
  client = new Client({ port: server.port });
});
afterAll(async () => {
  await client.quit();
  await server.stop();
});

const newLocalDay: NewDay = async (perDay, parts) => {
  let shares = new DayShares(perDay, parts);
  return {
    spend: async ({ team, rest, reserve }) => {
      const isAllowed = shares.available(team, rest, reserve) >= 1;
      if (isAllowed) shares.spend(team, rest);
      return isAllowed;
    },
    giveBack: async (team) => shares.giveBack(team),
    reshare: (calls, changed, rest) => {
      shares = shares.reshared(calls, changed, rest);
    },
    teams: () => shares.teams.filter(({ team, calls, kept }) => calls > 0 || kept < shares.partOf(team).part),
  };
};

const script = loadScript(import.meta.url, 'conformance/lua/day-shares-6.lua');
let days = 0;

const newRedisDay = async (perDay: number, parts: ReadonlyMap<string, TeamPart>) => {
  const day = days++;
  const keys = Array.from({ length: 6 }, (_, n) => `{day ${day}}:${n}`);
  const textOf = (all: typeof parts) => JSON.stringify([...all].map(([team, { part, cap }]) => [team, part, cap]));
  let [shares, calls, maxCalls] = [textOf(parts), perDay, 10 * perDay];
  let teams: readonly TeamCalls[] = [];
  type Reports = readonly (readonly [name: string, own: number, known: number])[];
  async function count(sign: 1 | -1, { team, rest, reserve }: Step, today: number, reports: Reports) {
    const values = ['channel', 'me', JSON.stringify([today, rest, reports]), shares, calls, maxCalls];
    const reply = await runScript(client, script, [...keys, ...values, team, reserve, sign]);
    const [isAllowed, all] = Array.isArray(reply) ? reply : [];
    teams = (JSON.parse(String(all)) as [string, number, number][]).map(([team, calls, kept]) => ({
      ...{ team, calls, kept },
    }));
    return isAllowed === 1;
  }
  return {
    /**
     * @param today number of the day, by the clock of the instance that asks
     * @param reports by team: name, calls of this instance on that day, calls of all that it knows of
     */
    spend: (step: Step, today = 2, reports: Reports = []) => count(1, step, today, reports),
    giveBack: async (team: string) => void (await count(-1, { team, rest: 1, reserve: 0 }, 2, [])),
    reshare: (changedCalls: number, changed: typeof parts) => {
      [shares, calls, maxCalls] = [textOf(changed), changedCalls, Math.max(maxCalls, 10 * changedCalls)];
    },
    teams: () => teams,
  };
};

testDayShares('on one instance', newLocalDay);
testDayShares('in Redis', newRedisDay);

test('an instance whose clock is a day behind brings no call of the day back, and one whose day has begun begins it', async () => {
  const day = await newRedisDay(3, new Map([['a', part(3)]]));
  const one: Step = { team: 'a', rest: 1, reserve: 0 };
  for (const today of [2, 2, 2]) expect(await day.spend(one, today)).toBe(true);
  expect(await day.spend(one, 1)).toBe(false);
  expect(await day.spend(one, 2)).toBe(false);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 3 }]);
  expect(await day.spend(one, 3)).toBe(true);
});

test('a day that an instance whose clock is years ahead has begun gives way to the right one, with all calls', async () => {
  const day = await newRedisDay(10, new Map([['a', part(10)]]));
  const one: Step = { team: 'a', rest: 1, reserve: 0 };
  const today = Math.floor(Date.now() / 86_400_000);
  for (let n = 0; n < 3; n++) await day.spend(one, today);
  await day.spend(one, today + 3_652);
  await day.spend(one, today, [['a', 1, 4]]);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 5 }]);
  await day.spend(one, today + 1);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 1 }]);
  await day.spend(one, today);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 2 }]);
});

test('calls that an instance reports of another day are not counted, and those of the same day once', async () => {
  const day = await newRedisDay(10, new Map([['a', part(10)]]));
  const one: Step = { team: 'a', rest: 1, reserve: 0 };
  await day.spend(one, 2);
  await day.spend(one, 1, [['a', 5, 7]]);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 2 }]);
  // The first report is of one call that Redis has not seen, the second of none.
  for (const calls of [4, 5]) {
    await day.spend(one, 2, [['a', calls - 1, calls - 1]]);
    expect(day.teams()).toMatchObject([{ team: 'a', calls }]);
  }
});

test('Redis decides about every call of a day as one instance does, and both keep the same for each team', async () => {
  const team = fc.constantFrom('a', 'b', 'c', '');
  const step = fc.record({
    team,
    times: fc.integer({ min: 1, max: 12 }),
    later: fc.nat(40),
    reserve: fc.constantFrom(0, 6),
    /** The shares change first: to these, of the teams that are left. */
    change: fc.option(
      fc.record({
        perDay: fc.integer({ min: 10, max: 90 }),
        weights: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 9 }), { minKeys: 1 }),
      }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 5, max: 60 }),
      async (all, cap) => {
        const parts = new Map([
          ['a', part(30, cap)],
          ['b', part(20)],
          ['c', part(10)],
        ]);
        const [local, shared] = [await newLocalDay(60, parts), await newRedisDay(60, parts)];
        let rest = 1;
        let sharing: ReadonlyMap<string, TeamPart> = parts;
        for (const { team, times, later, reserve, change } of all) {
          rest = Math.max(0, rest - later / 100);
          const one: Step = { team, rest, reserve };
          if (change) {
            const shares = Object.entries(change.weights).map(([name, weight]) => [name, { weight }] as const);
            const changed = partsOf(change.perDay, new Map(shares));
            sharing = changed;
            for (const day of [local, shared]) day.reshare(change.perDay, changed, rest);
          }
          for (let n = 0; n < times; n++) expect(await shared.spend(one)).toBe(await local.spend(one));
          const byName = (a: TeamCalls, b: TeamCalls) => (a.team < b.team ? -1 : 1);
          const isUsed = ({ team, calls, kept }: TeamCalls) =>
            calls > 0 || kept < (sharing.get(team)?.part ?? 0) - 1e-6;
          const usedOf = (day: Day) => day.teams().filter(isUsed).sort(byName);
          const [here, there] = [usedOf(local), usedOf(shared)];
          expect(there.map(({ team, calls }) => [team, calls])).toEqual(here.map(({ team, calls }) => [team, calls]));
          for (const [n, { team, kept }] of here.entries()) {
            if (sharing.has(team)) expect(there[n]?.kept).toBeCloseTo(kept, 6);
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

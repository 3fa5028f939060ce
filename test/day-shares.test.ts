/**
 * Day shares as counted by one instance, and by Redis for all.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis as Client } from 'ioredis';
import { DayShares, type TeamCalls, type TeamPart } from '../src/quota/day-shares.ts';
import { loadScript, runScript } from '../src/redis/scripts.ts';
import { type NewDay, part, type Step, testDayShares } from './conformance/day-shares.ts';
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
  const shares = new DayShares(perDay, parts);
  return {
    spend: async ({ team, rest, reserve }) => {
      const isAllowed = shares.available(team, rest, reserve) >= 1;
      if (isAllowed) shares.spend(team, rest);
      return isAllowed;
    },
    teams: () => shares.teams.filter(({ team, calls, kept }) => calls > 0 || kept < (parts.get(team)?.part ?? 0)),
  };
};

const script = loadScript(import.meta.url, 'conformance/lua/day-shares-6.lua');
let days = 0;

const newRedisDay = async (perDay: number, parts: ReadonlyMap<string, TeamPart>) => {
  const day = days++;
  const keys = Array.from({ length: 6 }, (_, n) => `{day ${day}}:${n}`);
  const shares = JSON.stringify([...parts].map(([team, { part, cap }]) => [team, part, cap]));
  let teams: readonly TeamCalls[] = [];
  return {
    /** @param today number of the day, by the asking instance's clock */
    spend: async ({ team, rest, reserve }: Step, today = 2) => {
      const values = ['channel', 'me', JSON.stringify([today, rest, []]), shares, perDay, 10 * perDay, team, reserve];
      const reply = await runScript(client, script, [...keys, ...values]);
      const [isAllowed, all] = Array.isArray(reply) ? reply : [];
      teams = (JSON.parse(String(all)) as [string, number, number][]).map(([team, calls, kept]) => ({
        ...{ team, calls, kept },
      }));
      return isAllowed === 1;
    },
    teams: () => teams,
  };
};

testDayShares('on one instance', newLocalDay);
testDayShares('in Redis', newRedisDay);

test('an instance with a clock a day behind brings no calls back, and the first one in a new day starts it', async () => {
  const day = await newRedisDay(3, new Map([['a', part(3)]]));
  const one: Step = { team: 'a', rest: 1, reserve: 0 };
  for (const today of [2, 2, 2]) expect(await day.spend(one, today)).toBe(true);
  expect(await day.spend(one, 1)).toBe(false);
  expect(await day.spend(one, 2)).toBe(false);
  expect(day.teams()).toMatchObject([{ team: 'a', calls: 3 }]);
  expect(await day.spend(one, 3)).toBe(true);
});

test('Redis and a single instance decide alike on every call of a day, and keep the same share for each team', async () => {
  const team = fc.constantFrom('a', 'b', 'c', '');
  const step = fc.record({
    team,
    times: fc.integer({ min: 1, max: 12 }),
    later: fc.nat(40),
    reserve: fc.constantFrom(0, 6),
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
        for (const { team, times, later, reserve } of all) {
          rest = Math.max(0, rest - later / 100);
          const one: Step = { team, rest, reserve };
          for (let n = 0; n < times; n++) expect(await shared.spend(one)).toBe(await local.spend(one));
          const byName = (a: TeamCalls, b: TeamCalls) => (a.team < b.team ? -1 : 1);
          const [here, there] = [[...local.teams()].sort(byName), [...shared.teams()].sort(byName)];
          expect(there.map(({ team, calls }) => [team, calls])).toEqual(here.map(({ team, calls }) => [team, calls]));
          for (const [n, { kept }] of here.entries()) expect(there[n]?.kept).toBeCloseTo(kept, 6);
        }
      },
    ),
    { numRuns: 40 },
  );
});

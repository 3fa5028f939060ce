/**
 * Every number in a header is a finite, sane integer, for any clocks, limits and callers.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PageCache } from '../../src/cache/page-cache.ts';
import { Limiter } from '../../src/callers/rate-limit/limiter.ts';
import { exactMs, systemClock } from '../../src/clock.ts';
import { Problem } from '../../src/problems.ts';
import { endOfDay, quotaExhausted } from '../../src/quota/day.ts';
import { Demand } from '../../src/quota/demand.ts';
import { Quota } from '../../src/quota/quota.ts';
import { SecondLimit } from '../../src/quota/second-limit.ts';
import { cacheLines } from '../../src/reports/cache-status.ts';
import { readRows, renderPage } from '../../src/reports/page-json.ts';
import { Breaker, circuitOpen } from '../../src/upstream/breaker.ts';
import type { Finding } from '../../src/upstream/finding.ts';
import { Gate } from '../../src/upstream/gate.ts';
import { FakeClock, settled } from '../support/clock.ts';
import { firstPage } from '../support/queries.ts';

const dayS = 86_400;

function expectSane(error: unknown, mostSeconds = dayS): void {
  expect(error).toBeInstanceOf(Problem);
  const { retryAfterSeconds } = error as Problem;
  expect(Number.isInteger(retryAfterSeconds)).toBe(true);
  expect(retryAfterSeconds).toBeGreaterThanOrEqual(1);
  expect(retryAfterSeconds).toBeLessThanOrEqual(mostSeconds);
}

/** Events between two requests. */
const steps = fc.array(
  fc.oneof(
    fc.record({ pass: fc.nat(20_000) }),
    fc.record({ stepWall: fc.integer({ min: -2 * dayS * 1000, max: 2 * dayS * 1000 }) }),
    fc.record({ ask: fc.nat(40) }),
    fc.constant({ complain: true }),
  ),
  { minLength: 1, maxLength: 30 },
);
type Step = { pass?: number; stepWall?: number; ask?: number; complain?: boolean };

async function take(clock: FakeClock, { pass = 0, stepWall = 0 }: Step): Promise<void> {
  clock.stepWall(stepWall);
  await clock.pass(pass);
}

test('the limit of a second is never below one call, and its waits are finite', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(7_000), fc.boolean(), fc.nat(30)), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 12 }),
      (moves, perSecond, instances) => {
        const second = new SecondLimit(perSecond);
        let now = 0;
        for (const [ms, complains, ahead] of moves) {
          now += ms;
          const share = { instances, rank: ahead % instances };
          if (complains) second.complain(now);
          const limit = second.limit(now);
          expect(Number.isInteger(limit) && limit >= 1 && limit <= perSecond).toBe(true);
          for (const waitMs of [
            second.waitMs(now, share),
            second.expectedMs(now, ahead, share),
            second.pausedMs(now),
          ]) {
            expect(waitMs).toBeGreaterThanOrEqual(0);
            expect(waitMs).toBeLessThan((ahead + 3) * 1_200 * instances + 3_000);
          }
          if (second.waitMs(now, share) > 0) continue;
          const freeInMs = second.take(now, '', share).end(now + (ms % 300), !complains);
          expect(freeInMs).toBeLessThan(4_000 * instances);
        }
      },
    ),
  );
});

test('a queue gives a valid Retry-After, for any complaint of the upstream and any clock', async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.constantFrom(5, 10_000),
      fc.constantFrom(0, 100, 8_000),
      async (all, perDay, maxWaitMs) => {
        const clock = new FakeClock();
        const options = { perSecond: 4, perDay, reserve: 5, maxWaitMs, maxQueue: 30 };
        const events = { waited: () => {}, passed: () => {}, teamSpent: () => {}, teamRefused: () => {} };
        const quota = new Quota(
          {
            clock,
            events,
            teams: new Map([
              ['a', { weight: 1 }],
              ['b', { weight: 0.01 }],
            ]),
          },
          options,
        );
        const refusals: unknown[] = [];
        for (const step of all as Step[]) {
          if (step.complain) quota.complain();
          for (let n = 0; n < (step.ask ?? 0); n++) {
            const demand = new Demand(n % 3 === 0 ? 'b' : 'a', n % 5 === 0 ? 'refresh' : 'interactive');
            quota.take(demand, 60_000).then(
              (permit) => clock.after(50, () => permit.done(true)),
              (error) => refusals.push(error),
            );
          }
          await take(clock, step);
          for (const value of Object.values(quota.status())) {
            if (typeof value === 'number') expect(Number.isInteger(value) && value >= 0).toBe(true);
          }
        }
        await clock.pass(60_000);
        for (const error of refusals) expectSane(error);
        quota.close();
      },
    ),
    { numRuns: 60 },
  );
});

test('gates and the circuit say when to retry', async () => {
  const findings = fc.constantFrom<Finding>('answered', 'refused', 'failed', 'second', 'day');
  await fc.assert(
    fc.asyncProperty(steps, fc.array(findings, { minLength: 5, maxLength: 5 }), async (all, found) => {
      const clock = new FakeClock();
      const breaker = new Breaker(clock, { failures: 1, probeEveryMs: 5_000 }, () => {});
      const day = new Gate(clock, {
        probeEveryMs: () => 3_600_000,
        reads: (finding) => (finding === 'day' ? 'shut' : finding === 'answered' ? 'open' : undefined),
        until: () => endOfDay(clock.now()),
        problem: () => quotaExhausted(clock.now()),
        onChange: () => {},
      });
      let n = 0;
      const probe = () => Promise.resolve(found[n++ % found.length]);
      for (const step of all as Step[]) {
        for (const gate of step.complain ? [day, breaker.gate] : []) {
          const finding = await probe();
          if (finding) gate.learn(finding);
        }
        for (const gate of [day, breaker.gate]) {
          try {
            await gate.check(probe);
          } catch (error) {
            expectSane(error, gate === day ? dayS : 5);
          }
        }
        await take(clock, step);
      }
      expectSane(circuitOpen(0));
    }),
  );
});

test('`RateLimit` is within the limit and the minute of the client', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const clock = new FakeClock();
      // Other processes may report any count.
      const counting = { isUp: true, add: async () => ({ total: 7, leftMs: 1e15 }) };
      const limiter = new Limiter({ maxClients: 10, clock, partitionSalt: 'salt', shared: counting });
      for (const step of all as Step[]) {
        for (let n = 0; n < (step.ask ?? 0); n++) {
          const { fields } = limiter.decide({
            name: 'default 10.0.0.1',
            key: 'default 10.0.0.1',
            policy: 'default',
            limit: 50,
          });
          const [, r, t] = /^RateLimit: "default"; r=(\d+); t=(\d+)\r\n/.exec(fields) ?? [];
          expect(Number(r)).toBeLessThan(50);
          expect(Number(t)).toBeLessThanOrEqual(60);
        }
        await take(clock, step);
      }
    }),
  );
});

test("a page's age is the time passed, and its freshness is within bounds", async () => {
  const dates = fc.integer({ min: -1e12, max: 1e12 });
  await fc.assert(
    fc.asyncProperty(steps, dates, async (all, newestMs) => {
      const clock = new FakeClock();
      const limits = { minFreshSeconds: 60, maxFreshSeconds: dayS, staleIfErrorSeconds: 3_600, notFoundSeconds: 60 };
      const send_date = new Date(clock.now() + newestMs).toISOString();
      const send = {
        activity_type: 'EMAIL_SEND',
        campaign_id: '1',
        contact_id: '2',
        email_address: 'a@b.c',
        send_date,
      };
      let isDown = false;
      const pages = new PageCache(
        {
          fetchPage: async () => {
            if (isDown) throw new Problem('upstream-failed', { reason: 'http-5xx' });
            return { rows: [send], cursor: undefined };
          },
          render: (query, page) => renderPage('', query, page),
          readRows,
          filtersSince: true,
          clock,
        },
        { ...limits, maxBytes: 1e6, maxViewBytes: 0 },
      );
      const query = firstPage('1');
      const startedAt = clock.monotonic();
      for (const step of all as Step[]) {
        if (step.complain) isDown = !isDown;
        const found = await pages.get(query, { team: 'a' }).catch(() => undefined);
        await settled();
        if (found) {
          const [, age, ttl] =
            /^Age: (\d+)\r\nCache-Status: sendgate; (?:hit; ttl=(-?\d+)|fwd=)[^\r]*\r\n$/.exec(
              cacheLines(found, clock.monotonic()),
            ) ?? [];
          expect(Number(age)).toBeLessThanOrEqual((clock.monotonic() - startedAt) / 1000);
          expect(Number(ttl ?? 0)).toBeGreaterThanOrEqual(-3_600);
          expect(Number(ttl ?? 0)).toBeLessThanOrEqual(dayS);
        }
        await take(clock, step);
      }
    }),
    { numRuns: 40 },
  );
});

test('a minute has sixty seconds whenever it starts', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), fc.integer({ min: 1, max: 1e9 }), (ms, duration) => {
      const now = exactMs(ms);
      expect(now + duration - now).toBe(duration);
    }),
    { numRuns: 10_000 },
  );
  for (let n = 0; n < 1_000; n++) {
    const now = systemClock.monotonic();
    expect(now + 60_000 - now).toBe(60_000);
  }
});

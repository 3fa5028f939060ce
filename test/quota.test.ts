import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Quota } from '../src/upstream/quota.ts';
import { FakeClock } from './support/clock.ts';

let clock: FakeClock;
let quota: Quota;
let starts: number[];

beforeEach(() => {
  clock = new FakeClock();
  quota = new Quota(clock, { perSecond: 4, maxWaitMs: 8_000 });
  starts = [];
});

const ask = (signal?: AbortSignal, waitMs = 60_000) =>
  quota.take(waitMs, signal).then(() => void starts.push(clock.now()));

/** The most starts that any window of a second holds. */
function busiest(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
}

describe('the quota', () => {
  test('lets four calls start at once, and the others as soon as the second is over, in their order', async () => {
    const order: number[] = [];
    for (let n = 0; n < 9; n++) void ask().then(() => order.push(n));
    await clock.pass(0);
    expect(starts).toHaveLength(4);
    await clock.pass(1_100);
    expect(starts).toHaveLength(8);
    await clock.pass(1_100);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(busiest(starts)).toBe(4);
  });

  test('never lets a window of a second hold more than four starts, whenever calls arrive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(1500), { minLength: 1, maxLength: 40 }), async (gaps) => {
        clock = new FakeClock();
        quota = new Quota(clock, { perSecond: 4, maxWaitMs: 60_000 });
        starts = [];
        for (const gap of gaps) {
          await clock.pass(gap);
          void ask();
        }
        await clock.pass(60_000);
        expect(starts).toHaveLength(gaps.length);
        expect(busiest(starts)).toBeLessThanOrEqual(4);
      }),
      { numRuns: 60 },
    );
  });

  test('tells at once who would wait too long, and how long', async () => {
    const waiting = Array.from({ length: 32 }, () => ask());
    await expect(ask()).rejects.toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 9 });
    await expect(ask(undefined, 500)).rejects.toMatchObject({ code: 'upstream-busy' });
    expect(quota.waiting).toBe(28);
    await clock.pass(9_000);
    await Promise.all(waiting);
  });

  test('lets one who hangs up leave the queue without spending anything', async () => {
    for (let n = 0; n < 4; n++) void ask();
    const leaver = new AbortController();
    const left = ask(leaver.signal);
    const stayed = ask();
    leaver.abort(new Error('gone'));
    await expect(left).rejects.toThrow('gone');
    await clock.pass(1_100);
    await stayed;
    expect(starts).toHaveLength(5);
    await expect(ask(AbortSignal.abort(new Error('gone before')))).rejects.toThrow('gone before');
    expect(quota.waiting).toBe(0);
  });
});

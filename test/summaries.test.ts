/**
 * How long a campaign's summary is cached, and what is served when it cannot be refreshed.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { UnknownIds } from '../src/cache/unknown-ids.ts';
import { Summaries } from '../src/campaigns/summaries.ts';
import { noOtherIds } from '../src/model/campaign-ids.ts';
import { Problem } from '../src/problems.ts';
import { FakeClock, settled } from './support/clock.ts';

let clock: FakeClock;
let outageAt: number;
let calls: number;
let answer: () => number | Promise<number>;
let summaries: Summaries;

beforeEach(() => {
  clock = new FakeClock();
  outageAt = Number.NEGATIVE_INFINITY;
  calls = 0;
  answer = () => 1;
  summaries = new Summaries(
    {
      clock,
      ids: noOtherIds,
      unknownIds: new UnknownIds(clock, 60, noOtherIds),
      outageAt: () => outageAt,
      fetchSummary: async () => {
        calls++;
        return { sends: await answer() };
      },
    },
    { minFreshSeconds: 60, staleIfErrorSeconds: 3_600, notFoundSeconds: 60 },
  );
});

const sends = async (campaign = '1') =>
  (await summaries.get(campaign, { team: 'team' }, new AbortController().signal)).sends;

function failWith(...problem: ConstructorParameters<typeof Problem>): void {
  answer = () => {
    throw new Problem(...problem);
  };
}

test('Concurrent requests share one call, at most once in minFreshSeconds', async () => {
  expect(await Promise.all([sends(), sends(), sends()])).toEqual([1, 1, 1]);
  await clock.pass(60_000);
  expect(await sends()).toBe(1);
  expect(calls).toBe(1);
  await clock.pass(1);
  answer = () => 2;
  expect(await sends()).toBe(2);
});

describe('A cached summary', () => {
  beforeEach(async () => {
    await sends();
    await clock.pass(60_001);
  });

  test.each<[string, ConstructorParameters<typeof Problem>, number]>([
    ['minFreshSeconds after the upstream has failed', ['upstream-failed'], 60_000],
    ['3 s after a busy queue that asks for 3 s', ['upstream-busy', { retryAfterSeconds: 3 }], 3_000],
    ['at once by another team after one has spent its share', ['upstream-quota-exhausted', { reason: 'share' }], -1],
  ])('is served on a failure, and fetched again %s', async (_, problem, ms) => {
    failWith(...problem);
    expect(await sends()).toBe(1);
    await clock.pass(Math.max(0, ms));
    if (ms > 0) expect(await sends()).toBe(1);
    expect(calls).toBe(2);
    await clock.pass(1);
    answer = () => 2;
    expect(await sends()).toBe(2);
  });

  test('is not served on a failure past staleIfErrorSeconds', async () => {
    failWith('upstream-failed');
    await clock.pass(3_600_000);
    await expect(sends()).rejects.toMatchObject({ code: 'upstream-failed' });
  });

  test('is not served once the campaign is gone', async () => {
    failWith('campaign-not-found');
    await expect(sends()).rejects.toMatchObject({ code: 'campaign-not-found' });
  });

  test('is purged with its campaign, as is a call in flight', async () => {
    let arrive: (count: number) => void = () => {};
    answer = () => new Promise((resolve) => (arrive = resolve));
    const waiting = sends();
    await settled();
    summaries.forget('1');
    arrive(2);
    expect(await waiting).toBe(2);
    answer = () => 3;
    expect(await sends()).toBe(3);
    expect(calls).toBe(3);
  });
});

test.each([
  ['a failure is not remembered', 'upstream-failed', 2],
  ['an unknown campaign is remembered', 'campaign-not-found', 1],
] as const)('From before an outage, %s', async (_, code, expected) => {
  failWith(code, { isLasting: true });
  for (let n = 0; n < 2; n++) await expect(sends()).rejects.toMatchObject({ code });
  expect(calls).toBe(1);
  outageAt = clock.monotonic();
  await expect(sends()).rejects.toMatchObject({ code });
  expect(calls).toBe(expected);
});

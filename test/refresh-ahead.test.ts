/**
 * When a polled first page is refreshed, on a clock that only the test moves.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { PageCache } from '../src/cache/page-cache.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import { Problem } from '../src/problems.ts';
import { RefreshAhead } from '../src/reports/refresh-ahead.ts';
import { FakeClock } from './support/clock.ts';
import { until } from './support/harness.ts';
import { firstPage, nextPage } from './support/queries.ts';

const head: PageQuery = firstPage('1');
const tail: PageQuery = nextPage('1', 'c');

let clock: FakeClock;
let calls: number[];
let ample: boolean;
let broken: boolean;
let pages: PageCache;
let refreshAhead: RefreshAhead;

beforeEach(() => {
  clock = new FakeClock();
  calls = [];
  ample = true;
  broken = false;
  const startedAt = clock.now();
  pages = new PageCache(
    {
      clock,
      fetchPage: async () => {
        calls.push((clock.now() - startedAt) / 1000);
        if (broken) throw new Problem('upstream-failed');
        return { rows: [], cursor: undefined };
      },
      filtersSince: true,
      readRows: () => [],
      render: () => ({ json: '{}', next: undefined }),
    },
    {
      maxBytes: 2 ** 20,
      minFreshSeconds: 60,
      maxFreshSeconds: 86_400,
      staleIfErrorSeconds: 3600,
      notFoundSeconds: 60,
      maxViewBytes: 0,
    },
  );
  refreshAhead = new RefreshAhead({ pages, clock, isAmple: () => ample });
});

async function ask(query = head): Promise<void> {
  const { page } = await pages.get(query, { team: 'default' });
  refreshAhead.answered(query, page, { team: 'default' });
}

/** Requests now, then `times` times more, `seconds` apart. */
async function poll(seconds: number, times: number, query = head): Promise<void> {
  await ask(query);
  for (let n = 0; n < times; n++) {
    await clock.pass(seconds * 1000);
    await ask(query);
  }
}

describe('a first page', () => {
  test('that is polled is refreshed when it goes stale, before the next poll', async () => {
    await poll(25, 2);
    expect(calls).toEqual([0]);
    await clock.pass(10_009); // 59.999 s after it was fetched, and the slack of a timer
    expect(calls).toEqual([0]);
    await clock.pass(1);
    expect(calls).toEqual([0, 60.01]);
    const held = () => pages.get(head, { team: 'default' });
    await until(async () => (await held()).page.fetchedAt === clock.monotonic(), 'the new one is held');
    expect((await held()).outcome.kind).toBe('hit');
    expect(calls).toEqual([0, 60.01]);
  });

  test('is refreshed once, for any number of clients that poll it', async () => {
    await Promise.all(Array.from({ length: 5 }, () => poll(25, 2)));
    await clock.pass(300_000);
    expect(calls).toEqual([0, 60.01]);
  });

  test.each([
    ['that was requested once', async () => ask()],
    ['that was requested twice in the first half of its freshness', async () => poll(20, 1)],
    [
      'while the quota is scarce',
      async () => {
        ample = false;
        await poll(40, 1);
      },
    ],
    [
      'after the service has stopped',
      async () => {
        await poll(40, 1);
        refreshAhead.cancelAll();
      },
    ],
  ])('%s is not refreshed', async (_, act) => {
    await act();
    await clock.pass(3_600_000);
    expect(calls).toEqual([0]);
  });

  test('whose refresh failed is refreshed at the next request', async () => {
    await poll(40, 1);
    broken = true;
    await clock.pass(25_000);
    await ask();
    await clock.pass(300_000);
    expect(calls).toEqual([0, 60.01]);
  });
});

test('a later page is not refreshed', async () => {
  await poll(25, 2, tail);
  await clock.pass(3_600_000);
  expect(calls).toEqual([0]);
});

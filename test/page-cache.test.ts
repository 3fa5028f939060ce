/**
 * The policy of the page cache, with an upstream that answers when the test says so and a clock on which nothing passes by itself.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PageCache } from '../src/cache/page-cache.ts';
import { Problem } from '../src/problems.ts';
import { cacheOf, HeldUpstream, pageOfOne } from './conformance/page-source.ts';
import { FakeClock, settled } from './support/clock.ts';
import { firstPage } from './support/queries.ts';

const query = firstPage('1');
const ask = { team: 'team' };

let clock: FakeClock;
let upstream: HeldUpstream;
let pages: PageCache;

beforeEach(() => {
  clock = new FakeClock();
  upstream = new HeldUpstream();
  pages = cacheOf(clock, upstream);
});

/** Lets everything run that waits for no clock and for no upstream; compressors run on threads. */
async function idle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  await settled();
}

async function hold(contact: string): Promise<void> {
  upstream.always = () => pageOfOne(contact);
  await pages.get(query, ask);
  upstream.always = undefined;
}

function failWith(problem: Problem): void {
  upstream.always = () => {
    throw problem;
  };
}

describe('A stale page whose refresh has failed', () => {
  const busy = (options: ConstructorParameters<typeof Problem>[1]) => new Problem('upstream-busy', options);

  test.each([
    ['3 s, as the queue asks, after it was full', busy({ retryAfterSeconds: 3, reason: 'queue' }), 3],
    ['1 s after a busy queue that does not say how long', busy({ reason: 'queue' }), 1],
    ['minFreshSeconds after a busy queue that asks for longer', busy({ retryAfterSeconds: 600, reason: 'queue' }), 60],
    ['minFreshSeconds after the upstream has failed', new Problem('upstream-failed', { retryAfterSeconds: 3 }), 60],
    ['minFreshSeconds after it has throttled', busy({ retryAfterSeconds: 3, reason: 'throttled' }), 60],
    ['minFreshSeconds after it has asked to wait', busy({ retryAfterSeconds: 3, isLasting: true }), 60],
  ])('is tried again %s', async (_, problem, seconds) => {
    await hold('a');
    await clock.pass(61_000);
    failWith(problem);
    await pages.get(query, ask);
    await idle();
    expect(upstream.calls).toHaveLength(2);
    await clock.pass(seconds * 1000 - 1);
    const { page } = await pages.get(query, ask);
    await idle();
    expect(upstream.calls).toHaveLength(2);
    expect(page.failedAt).toBeDefined();
    await clock.pass(2);
    await pages.get(query, ask);
    await idle();
    expect(upstream.calls).toHaveLength(3);
  });

  test('because a team has spent its share may be refreshed by the next one', async () => {
    await hold('a');
    await clock.pass(61_000);
    failWith(new Problem('upstream-quota-exhausted', { reason: 'share', retryAfterSeconds: 3_600 }));
    await pages.get(query, ask);
    await idle();
    await clock.pass(2);
    await pages.get(query, { team: 'other' });
    await idle();
    expect(upstream.calls).toHaveLength(3);
    expect(pages.peek(query)?.failedAt).toBeUndefined();
  });

  test('is answered until staleIfErrorSeconds are over, and the error from then on', async () => {
    await hold('a');
    failWith(new Problem('upstream-failed'));
    await clock.pass(3_659_999);
    expect((await pages.get(query, ask)).page).toBeDefined();
    await idle();
    await clock.pass(2);
    await expect(pages.get(query, ask)).rejects.toMatchObject({ code: 'upstream-failed' });
  });
});

describe('A purge', () => {
  test('forgets a page that is being refreshed, and what the refresh brings', async () => {
    await hold('a');
    await clock.pass(61_000);
    await pages.get(query, ask);
    expect(await pages.purge('1')).toEqual({ pages: 1, everywhere: true });
    expect(pages.peek(query)).toBeUndefined();
    upstream.calls[1]?.answer(pageOfOne('as it was before'));
    await idle();
    expect(pages.peek(query)).toBeUndefined();
    await hold('b');
    expect(upstream.calls).toHaveLength(3);
    expect(pages.peek(query)).toBeDefined();
  });

  test('leaves those who wait their page, and has the next ones ask anew', async () => {
    const waiting = pages.get(query, ask);
    await idle();
    await pages.purge();
    const next = pages.get(query, ask);
    await idle();
    expect(upstream.calls).toHaveLength(2);
    upstream.calls[1]?.answer(pageOfOne('after'));
    const { page, outcome } = await next;
    expect(outcome).toMatchObject({ kind: 'forwarded', stored: true });
    upstream.calls[0]?.answer(pageOfOne('before'));
    expect((await waiting).outcome).toMatchObject({ kind: 'forwarded', stored: false });
    expect(pages.peek(query)).toBe(page);
  });

  test('of another campaign changes nothing', async () => {
    await hold('a');
    expect(await pages.purge('11')).toEqual({ pages: 0, everywhere: true });
    expect(pages.hit(query)).toBeDefined();
  });
});

test('A caller who wants no old page has one revalidated at most once in minFreshSeconds', async () => {
  upstream.always = () => pageOfOne('a');
  for (let n = 0; n < 5; n++) await pages.get(query, { ...ask, maxAgeSeconds: 0 });
  expect(upstream.calls).toHaveLength(1);
  await clock.pass(60_000);
  for (let n = 0; n < 5; n++) await pages.get(query, { ...ask, maxAgeSeconds: 0 });
  expect(upstream.calls).toHaveLength(2);
});

test('Views have bytes of their own: they evict each other, and no page that costs a call', async () => {
  const clock = new FakeClock();
  const [maxBytes, maxViewBytes] = [20_000, 5_000];
  pages = cacheOf(clock, upstream, {}, { filtersSince: false, maxBytes, maxViewBytes });
  await hold('a');
  for (let day = 1; day <= 28; day++) {
    await pages.get(
      firstPage('1', 500, { createdSince: `2020-01-${String(day).padStart(2, '0')}T00:00:00.000Z` }),
      ask,
    );
  }
  expect(upstream.calls).toHaveLength(1);
  expect(pages.hit(query)).toBeDefined();
  expect(pages.bytes).toBeLessThanOrEqual(maxViewBytes + 1_000);
  expect(pages.count).toBeLessThan(10);
});

/**
 * The policy of the page cache, with a scripted upstream and a clock that only the test moves.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { Generations } from '../src/cache/generations.ts';
import type { PageCache } from '../src/cache/page-cache.ts';
import { MeansAnotherId } from '../src/model/campaign-ids.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import { Problem } from '../src/problems.ts';
import { cacheOf, datedPage, HeldUpstream, pageOfOne } from './conformance/page-source.ts';
import { FakeClock, settled } from './support/clock.ts';
import { MemorySecondLevel, SharedMemory } from './support/memory-second-level.ts';
import { firstPage, nextPage } from './support/queries.ts';

const query = firstPage('1');
const later = nextPage('1', 'c');
const ask = { team: 'team' };
const bulk = { team: 'team', urgency: 'bulk' } as const;

let clock: FakeClock;
let upstream: HeldUpstream;
let pages: PageCache;

beforeEach(() => {
  clock = new FakeClock();
  upstream = new HeldUpstream();
  pages = cacheOf(clock, upstream);
});

/** Runs everything that waits for neither the clock nor the upstream. */
async function idle(): Promise<void> {
  for (let n = 0; n < 20; n++) await settled();
}

async function hold(contact: string, of: PageQuery = query): Promise<void> {
  upstream.always = () => pageOfOne(contact);
  await pages.get(of, ask);
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

  test('because a team has spent its share is retried by the next caller', async () => {
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

  test('is served until staleIfErrorSeconds are over, then the error', async () => {
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
  test('removes a page that is being refreshed, and discards the refresh', async () => {
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

  test('lets waiting callers get their page, and later ones fetch again', async () => {
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

describe('A caller who wants a fresh page', () => {
  const noOld = { ...ask, maxAgeSeconds: 0 };

  test('revalidates it at most once in minFreshSeconds', async () => {
    await hold('a');
    await clock.pass(59_999);
    expect((await pages.get(query, noOld)).outcome.kind).toBe('hit');
    expect(upstream.calls).toHaveLength(1);
    await clock.pass(1);
    upstream.always = () => pageOfOne('a');
    expect((await pages.get(query, noOld)).outcome).toMatchObject({ why: 'request' });
    expect(upstream.calls).toHaveLength(2);
  });

  test('gets the cached page for minFreshSeconds after a failed try', async () => {
    await hold('a');
    await clock.pass(60_000);
    failWith(new Problem('upstream-failed'));
    for (let n = 0; n < 3; n++) {
      expect((await pages.get(query, noOld)).outcome.kind).toBe('hit');
      await clock.pass(1_000);
    }
    expect(upstream.calls).toHaveLength(2);
  });
});

describe('A first page', () => {
  test('is revalidated after a later page changes, since its generation has passed', async () => {
    await hold('a');
    await hold('b', later);
    await clock.pass(30_000);
    expect(pages.hit(query)).toBeDefined();
    await clock.pass(30_001);
    await hold('a');
    await idle();
    await hold('c', later);
    await idle();
    expect(pages.hit(query)).toBeUndefined();
    // If that fails, the page is served anyway, without a call for every request.
    failWith(new Problem('upstream-failed'));
    await pages.get(query, ask);
    const tried = upstream.calls.length;
    expect(pages.hit(query)?.page.failedAt).toBeDefined();
    await pages.get(query, ask);
    expect(upstream.calls).toHaveLength(tried);
  });

  test('that changes invalidates later pages', async () => {
    await hold('a');
    await hold('b', later);
    expect(pages.hit(later)).toBeDefined();
    await clock.pass(60_001);
    await hold('new');
    await idle();
    expect(pages.peek(later)).toBeUndefined();
  });
});

describe('An export', () => {
  test('starts with a fresh first page, and takes later pages at any age', async () => {
    await hold('a');
    await hold('b', later);
    await clock.pass(600_000);
    upstream.always = () => pageOfOne('a');
    expect((await pages.get(query, bulk)).outcome).toMatchObject({ kind: 'forwarded', why: 'stale' });
    expect((await pages.get(later, bulk)).outcome.kind).toBe('hit');
    expect(upstream.calls).toHaveLength(3);
  });

  test('retries a remembered failure that others get, and waits as long as Constant Contact asks', async () => {
    failWith(new Problem('upstream-busy', { isLasting: true, retryAfterSeconds: 5 }));
    const told = (of: PageQuery, asked: typeof ask) => pages.get(of, asked).catch((error: unknown) => error);
    expect(await told(later, ask)).toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 60 });
    expect(await told(later, ask)).toMatchObject({ retryAfterSeconds: 60 });
    expect(upstream.calls).toHaveLength(1);
    expect(await told(later, bulk)).toMatchObject({ code: 'upstream-busy', retryAfterSeconds: 5 });
    expect(upstream.calls).toHaveLength(2);
  });

  test('does not retry a 404', async () => {
    failWith(new Problem('invalid-cursor'));
    for (let n = 0; n < 2; n++) await expect(pages.get(later, bulk)).rejects.toMatchObject({ code: 'invalid-cursor' });
    expect(upstream.calls).toHaveLength(1);
  });
});

describe('A refusal from before an outage', () => {
  test.each([
    ['is not remembered where it was a failure', 'upstream-failed', 2],
    ['is remembered where the campaign does not exist', 'campaign-not-found', 1],
  ] as const)('%s', async (_, code, calls) => {
    let outageAt = Number.NEGATIVE_INFINITY;
    pages = cacheOf(clock, upstream, { outageAt: () => outageAt });
    failWith(new Problem(code, { isLasting: true }));
    await expect(pages.get(query, ask)).rejects.toMatchObject({ code });
    await expect(pages.get(query, ask)).rejects.toMatchObject({ code });
    expect(upstream.calls).toHaveLength(1);
    outageAt = clock.monotonic();
    await clock.pass(1);
    await expect(pages.get(query, ask)).rejects.toMatchObject({ code });
    expect(upstream.calls).toHaveLength(calls);
  });
});

describe('With a second level', () => {
  let shared: SharedMemory;
  beforeEach(() => {
    shared = new SharedMemory(clock);
  });
  function join(): PageCache {
    const generations = new Generations(100, clock);
    return cacheOf(clock, upstream, { generations, secondLevel: new MemorySecondLevel(shared, generations) });
  }

  test('a page of another instance is a hit, and a stale one is revalidated in the background', async () => {
    const [a, b, c] = [join(), join(), join()];
    upstream.always = () => pageOfOne('a');
    await a.get(query, ask);
    expect((await b.get(query, ask)).outcome).toEqual({ kind: 'hit', shared: true });
    expect(b.hit(query)?.outcome).toEqual({ kind: 'hit', shared: false });
    await clock.pass(61_000);
    upstream.always = undefined;
    expect((await c.get(query, ask)).outcome).toEqual({ kind: 'hit', shared: true });
    await idle();
    expect(upstream.calls).toHaveLength(2);
  });

  test('an export starts with a fresh first page, even if another instance has a stale one', async () => {
    const [a, b] = [join(), join()];
    upstream.always = () => pageOfOne('a');
    await a.get(query, ask);
    await clock.pass(61_000);
    expect((await b.get(query, bulk)).outcome).toMatchObject({ kind: 'forwarded', why: 'uri-miss' });
    expect(upstream.calls).toHaveLength(2);
  });

  test('callers of one page on two instances share one call', async () => {
    const all = [join(), join()].map((one) => one.get(query, ask));
    await idle();
    expect(upstream.calls).toHaveLength(1);
    upstream.calls[0]?.answer(pageOfOne('a'));
    const outcomes = (await Promise.all(all)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(
      [false, true].map((collapsed) => expect.objectContaining({ kind: 'forwarded', collapsed })),
    );
  });

  test('a later page is stored in the generation that was learned with it', async () => {
    const [a, b] = [join(), join()];
    upstream.always = () => pageOfOne('a');
    await a.get(query, ask);
    await a.get(later, ask);
    expect((await b.get(later, ask)).outcome).toEqual({ kind: 'hit', shared: true });
    expect(b.hit(later)).toBeDefined();
  });

  test('the lease is passed on if the call only revealed what the id means', async () => {
    const [a, b] = [join(), join()];
    const all = [a.get(query, ask), b.get(query, ask)];
    await idle();
    upstream.always = () => pageOfOne('a');
    upstream.calls[0]?.fail(new MeansAnotherId());
    for (const { page } of await Promise.all(all)) expect(page).toBeDefined();
    expect(upstream.calls).toHaveLength(2);
  });

  test('a caller who wants a fresher page than any instance has waits for a call', async () => {
    const [a, b] = [join(), join()];
    upstream.always = () => datedPage(clock);
    await a.get(query, ask);
    await clock.pass(90_000);
    expect((await b.get(query, { ...ask, maxAgeSeconds: 60 })).outcome).toMatchObject({ kind: 'forwarded' });
    expect(upstream.calls).toHaveLength(2);
  });

  test('a fresh page of a generation that another instance has ended is not served', async () => {
    const [a, b] = [join(), join()];
    upstream.always = () => pageOfOne('a');
    await a.get(query, ask);
    await b.get(query, ask);
    await clock.pass(30_000);
    expect(b.hit(query)).toBeDefined();
    upstream.always = () => pageOfOne('new');
    await a.get(firstPage('1', 10), ask);
    expect(b.hit(query)).toBeUndefined();
    const old = b.peek(query)?.body.etag;
    expect((await b.get(query, ask)).page.body.etag).not.toBe(old);
  });
});

test('An unchanged page keeps its body', async () => {
  await hold('a');
  const body = pages.peek(query)?.body;
  await clock.pass(60_001);
  await hold('a');
  await idle();
  expect(pages.peek(query)?.fetchedAt).toBe(clock.monotonic());
  expect(pages.peek(query)?.body).toBe(body);
});

test('A view passes its urgency on to its source', async () => {
  const view = firstPage('1', 500, { form: 'v2' });
  const first = pages.get(view, { team: 'team', urgency: 'refresh' });
  await idle();
  expect(upstream.calls[0]?.demand.urgency).toBe('refresh');
  const second = pages.get(view, { team: 'other' });
  await idle();
  expect(upstream.calls[0]?.demand).toMatchObject({ urgency: 'interactive', team: 'other' });
  upstream.calls[0]?.answer(pageOfOne('a'));
  await Promise.all([first, second]);
  expect(upstream.calls).toHaveLength(1);
});

test('Views have their own bytes: they evict each other, and no page that costs a call', async () => {
  const [maxBytes, maxViewBytes] = [20_000, 5_000];
  pages = cacheOf(clock, upstream, {}, { filtersSince: false, maxBytes, maxViewBytes });
  await hold('a');
  for (let day = 1; day <= 28; day++) {
    await pages.get(firstPage('1', 500, { since: `2020-01-${String(day).padStart(2, '0')}T00:00:00.000Z` }), ask);
  }
  expect(upstream.calls).toHaveLength(1);
  expect(pages.hit(query)).toBeDefined();
  expect(pages.bytes).toBeLessThanOrEqual(maxViewBytes + 1_000);
  expect(pages.count).toBeLessThan(10);
});

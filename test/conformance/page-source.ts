/**
 * The promises of every `PageSource`.
 */
import { brotliCompressSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf } from '../../src/cache/compression.ts';
import { bodyOf, tagOf } from '../../src/cache/page.ts';
import { PageCache } from '../../src/cache/page-cache.ts';
import type { PageFormat } from '../../src/cache/page-format.ts';
import type { Lookup, PageSource } from '../../src/cache/page-source.ts';
import type { PageQuery } from '../../src/model/page-query.ts';
import type { ParsedPage } from '../../src/model/resource.ts';
import { Problem } from '../../src/problems.ts';
import type { Demand } from '../../src/quota/demand.ts';
import { readRows, renderPage } from '../../src/reports/page-json.ts';
import { FakeClock, settled } from '../support/clock.ts';
import { firstPage } from '../support/queries.ts';

const query = firstPage('1');
const ask = { team: 'team', client: 'client' };

/** An upstream whose responses the test controls. */
export class HeldUpstream {
  readonly calls: {
    readonly demand: Demand;
    readonly answer: (page: ParsedPage) => void;
    readonly fail: (error: Error) => void;
  }[] = [];
  /** Sets the response that is sent without further control. */
  always: ((query: PageQuery) => ParsedPage) | undefined;

  readonly fetchPage = (query: PageQuery, demand: Demand): Promise<ParsedPage> =>
    new Promise((resolve, reject) => {
      this.calls.push({ demand, answer: resolve, fail: reject });
      if (!this.always) return;
      try {
        resolve(this.always(query));
      } catch (error) {
        reject(error);
      }
    });
}

export const pageOfOne = (contact_id: string): ParsedPage => ({
  rows: [{ activity_type: 'EMAIL_SEND', campaign_id: '1', contact_id, email_address: 'a@b.c', send_date: '' }],
  cursor: undefined,
});

/** Without the thread pool, so that a test knows when nothing is pending. */
const encodeAtOnce: NonNullable<PageFormat['encode']> = async (content, etag = tagOf(content.json)) =>
  bodyOf(content, etag, brotliCompressSync(content.json), Buffer.byteLength(content.json));

/** A page cache in front of such an upstream, whose pages are fresh for a minute. */
export function cacheOf(
  clock: FakeClock,
  { fetchPage }: Pick<HeldUpstream, 'fetchPage'>,
  behind: Pick<ConstructorParameters<typeof PageCache>[0], 'secondLevel' | 'generations' | 'outageAt'> = {},
  { filtersSince = true, maxBytes = 2 ** 20, maxViewBytes = 2 ** 18 } = {},
) {
  return new PageCache(
    {
      clock,
      fetchPage,
      readRows,
      filtersSince,
      ...behind,
      encode: encodeAtOnce,
      render: (...page) => renderPage('', ...page),
    },
    {
      ...{ maxBytes, maxViewBytes, notFoundSeconds: 60 },
      ...{ minFreshSeconds: 60, maxFreshSeconds: 86_400, staleIfErrorSeconds: 3_600 },
    },
  );
}

export function pageSourceSuite(name: string, open: (upstream: HeldUpstream, clock: FakeClock) => PageSource): void {
  describe(name, () => {
    let clock: FakeClock;
    let upstream: HeldUpstream;
    let pages: PageSource;
    beforeEach(() => {
      clock = new FakeClock();
      upstream = new HeldUpstream();
      pages = open(upstream, clock);
    });

    const contactOf = async ({ page }: Pick<Lookup, 'page'>) =>
      readRows('sends', (await identityOf(page.body)).toString())[0]?.contact_id;
    const called = async (times: number) => {
      for (let n = 0; n < 1_000 && upstream.calls.length < times; n++) await settled();
      expect(upstream.calls).toHaveLength(times);
    };
    const isPending = async (promise: Promise<unknown>) => {
      let isOver = false;
      const over = () => {
        isOver = true;
      };
      promise.then(over, over);
      for (let n = 0; n < 20; n++) await settled();
      return !isOver;
    };

    test('a hit never waits and makes no call', async () => {
      expect(pages.hit(query)).toBeUndefined();
      upstream.always = () => pageOfOne('a');
      const lookup = await pages.get(query, ask);
      expect(lookup.outcome).toEqual({ kind: 'forwarded', why: 'uri-miss', collapsed: false, stored: true });
      const hit = pages.hit(query);
      expect(hit?.outcome).toEqual({ kind: 'hit', shared: false });
      expect(hit && (await contactOf(hit))).toBe('a');
      expect(upstream.calls).toHaveLength(1);
    });

    test('concurrent requests share one call, and each gets its own outcome', async () => {
      const all = [1, 2, 3].map(() => pages.get(query, ask));
      await called(1);
      for (let n = 0; n < 20; n++) await settled();
      upstream.calls[0]?.answer(pageOfOne('a'));
      const lookups = await Promise.all(all);
      expect(await Promise.all(lookups.map(contactOf))).toEqual(['a', 'a', 'a']);
      const collapsed = lookups.map(({ outcome }) => outcome.kind === 'forwarded' && outcome.collapsed);
      expect(collapsed.toSorted()).toEqual([false, true, true]);
      expect(upstream.calls).toHaveLength(1);
    });

    test('a caller who disconnects gets the reason of its signal, and the others get the page', async () => {
      const leaving = new AbortController();
      const left = pages.get(query, { ...ask, signal: leaving.signal });
      const stayed = pages.get(query, { ...ask, signal: new AbortController().signal });
      await called(1);
      leaving.abort(new Error('left'));
      await expect(left).rejects.toThrow('left');
      upstream.calls[0]?.answer(pageOfOne('a'));
      expect(await contactOf(await stayed)).toBe('a');
    });

    test('a failure is a Problem, and the next request makes another call', async () => {
      const failing = pages.get(query, ask);
      await called(1);
      upstream.calls[0]?.fail(new Problem('upstream-failed', { retryAfterSeconds: 7, reason: 'http-500' }));
      const problem = await failing.catch((error: unknown) => error);
      expect(problem).toBeInstanceOf(Problem);
      expect(problem).toMatchObject({ code: 'upstream-failed', retryAfterSeconds: 7, reason: 'http-500' });
      upstream.always = () => pageOfOne('a');
      expect(await contactOf(await pages.get(query, ask))).toBe('a');
    });

    test('a refusal is remembered', async () => {
      upstream.always = () => {
        throw new Problem('campaign-not-found');
      };
      for (let n = 0; n < 3; n++) {
        await expect(pages.get(query, ask)).rejects.toMatchObject({ code: 'campaign-not-found' });
      }
      expect(upstream.calls).toHaveLength(1);
      expect(pages.peek(query)).toBeUndefined();
    });

    test('peek returns a page of any age, and changes nothing', async () => {
      expect(pages.peek(query)).toBeUndefined();
      upstream.always = () => pageOfOne('a');
      const { page } = await pages.get(query, ask);
      await clock.pass(61_000);
      expect(pages.peek(query)).toEqual(page);
      expect(pages.hit(query)).toBeUndefined();
      for (let n = 0; n < 20; n++) await settled();
      expect(upstream.calls).toHaveLength(1);
    });

    test('a stale page is served at once, and revalidated by one call in the background', async () => {
      const first = pages.get(query, ask);
      await called(1);
      upstream.calls[0]?.answer(pageOfOne('a'));
      await first;
      await clock.pass(61_000);
      for (let n = 0; n < 3; n++) {
        const lookup = await pages.get(query, ask);
        expect([await contactOf(lookup), lookup.outcome.kind]).toEqual(['a', 'hit']);
      }
      await called(2);
      upstream.calls[1]?.answer(pageOfOne('b'));
      for (let n = 0; n < 1_000 && (await contactOf(await pages.get(query, ask))) === 'a'; n++) await settled();
      expect(await contactOf(await pages.get(query, ask))).toBe('b');
      expect(upstream.calls).toHaveLength(2);
    });

    test('a caller who wants a fresher page waits for a call', async () => {
      upstream.always = () => datedPage(clock);
      await pages.get(query, ask);
      await clock.pass(90_000);
      expect(pages.hit(query, 120)).toBeDefined();
      expect(pages.hit(query, 60)).toBeUndefined();
      upstream.always = undefined;
      const fresher = pages.get(query, { ...ask, maxAgeSeconds: 60 });
      await called(2);
      expect(await isPending(fresher)).toBe(true);
      upstream.calls[1]?.answer(pageOfOne('b'));
      const { page, outcome } = await fresher;
      expect(await contactOf({ page })).toBe('b');
      expect(outcome).toMatchObject({ kind: 'forwarded', why: 'request' });
    });

    test('prefetch stores the page, and never rejects', async () => {
      upstream.always = () => {
        throw new Problem('upstream-failed');
      };
      expect(await pages.prefetch(query, ask)).toBeUndefined();
      upstream.always = () => pageOfOne('a');
      expect(await pages.prefetch(query, ask)).toBeDefined();
      expect(pages.hit(query)).toBeDefined();
    });
  });
}

/** Old enough to be fresh for an hour. */
export const datedPage = (clock: FakeClock): ParsedPage => ({
  rows: pageOfOne('a').rows.map((row) => ({ ...row, send_date: new Date(clock.now() - 36_000_000).toISOString() })),
  cursor: undefined,
});

/**
 * Which pages are cached, for how long, and what happens when they are stale, on a clock that the test moves.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { api, cursorOf, type Harness, type PageJson, start, until } from './support/harness.ts';

const id = '42';
const path = `/campaigns/${id}/sends`;
let it: Harness;

beforeEach(async () => {
  it = await start({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0', SENDGATE_CACHE_STALE_IF_ERROR_SECONDS: '3600' });
  it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 10_000, spacingMs: 100 });
});
afterEach(() => it.close());

const status = async (target = path, headers = {}) => (await it.get(target, headers)).headers.get('cache-status');
const contacts = async (target: string) => (await it.page(target)).results.map(({ contact_id }) => contact_id);
/** Of a page that is fresh for a minute and came a moment ago, however slow the machine. */
const fresh = /^sendgate; hit; ttl=(60|5\d)$/;
const nextOf = async (target: string) => (await it.page(target)).meta.pagination.next_link ?? '';

describe('a page past its freshness', () => {
  test('is served stale at once while one refresh runs in the background', async () => {
    await it.get(path);
    it.sandbox.addSends(id, 1);
    it.clock.forward(61);
    it.sandbox.fault({ kind: 'latency', ms: 1_000 });
    const stale = await Promise.all(Array.from({ length: 20 }, () => it.get(path)));
    for (const answer of stale) {
      expect(answer.headers.get('cache-status')).toMatch(/^sendgate; hit; ttl=-\d; detail=stale-while-revalidate$/);
      expect(((await answer.json()) as PageJson).results).toHaveLength(30);
    }
    await until(async () => (await contacts(path)).length === 31, 'the refreshed page is served');
    expect(await status()).toMatch(fresh);
    expect(it.sandbox.callCount).toBe(2);
  });

  test('keeps its encodings and ETag when the refresh brings nothing new', async () => {
    const before = (await it.get(path)).headers.get('etag');
    it.clock.forward(61);
    await it.get(path);
    await until(async () => fresh.test((await status()) ?? ''), 'the page is fresh again');
    expect((await it.get(path)).headers.get('etag')).toBe(before);
  });

  test('is served on any upstream failure, and the upstream is not called meanwhile', async () => {
    await it.get(path);
    it.sandbox.fault({ kind: 'status', status: 500 });
    it.clock.forward(61);
    await it.get(path);
    await until(
      async () => /^sendgate; hit; ttl=-\d; detail=stale-if-error$/.test((await status()) ?? ''),
      'the refresh has failed',
    );
    for (let i = 0; i < 50; i++) expect((await it.get(path)).status).toBe(200);
    expect(it.sandbox.callCount).toBe(2);

    it.clock.forward(61);
    await it.get(path);
    const failures = () => it.lines.filter((line) => line.includes('"event":"upstream.call_failed"')).length;
    await until(() => failures() === 2, 'one more try a minute later has failed');
    expect(it.sandbox.callCount).toBe(3);
    it.sandbox.heal();
    it.clock.forward(61);
    await it.get(path);
    await until(async () => fresh.test((await status()) ?? ''), 'it recovers by itself');
  });

  test('is no longer served past staleIfErrorSeconds', async () => {
    await it.get(path);
    it.sandbox.fault({ kind: 'status', status: 500 });
    it.clock.forward(60 + 3599);
    expect((await it.get(path)).status).toBe(200);
    await until(async () => (await status())?.includes('stale-if-error') ?? false, 'the refresh has failed');
    it.clock.forward(2);
    const gone = await it.get(path);
    expect(gone.status).toBe(502);
    it.sandbox.heal();
    it.clock.forward(61); // The failure is remembered for a minute.
    expect(await status()).toBe('sendgate; fwd=uri-miss; fwd-status=200; stored');
  });

  test('older than staleIfErrorSeconds is not served before its refresh', async () => {
    await it.get(path);
    it.clock.forward(60 + 3601);
    expect(await status()).toBe('sendgate; fwd=stale; fwd-status=200; stored');
  });
});

describe('a request for a fresh page', () => {
  test.each([
    { 'cache-control': 'no-cache' },
    { 'cache-control': 'max-age=0' },
    { 'cache-control': 'private, max-age=10' },
  ])('with %j revalidates, at most once a minute', async (headers) => {
    it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 86_400_000 });
    await it.get(path);
    it.clock.forward(59);
    expect(await status(path, headers)).toMatch(/^sendgate; hit/);
    it.clock.forward(2);
    const answers = await Promise.all(Array.from({ length: 10 }, () => status(path, headers)));
    expect(answers.filter((text) => text === 'sendgate; fwd=request; fwd-status=200; stored')).toHaveLength(1);
    expect(await status(path, headers)).toMatch(/^sendgate; hit/);
    expect(it.sandbox.callCount).toBe(2);
  });

  test('gets the cached page when the upstream fails, without another call at once', async () => {
    it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 86_400_000 });
    await it.get(path);
    it.clock.forward(61);
    it.sandbox.fault({ kind: 'status', status: 500 });
    for (let i = 0; i < 3; i++) {
      const answer = await it.get(path, { 'cache-control': 'no-cache' });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('age')).toMatch(/^6\d$/);
    }
    expect(it.sandbox.callCount).toBe(2);
  });

  test('that the cached page satisfies makes no call', async () => {
    it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 86_400_000 });
    await it.get(path);
    it.clock.forward(100);
    expect(await status(path, { 'cache-control': 'max-age=101' })).toMatch(/^sendgate; hit/);
    expect(it.sandbox.callCount).toBe(1);
  });
});

describe('a changed first page invalidates later pages', () => {
  const head = `${path}?limit=10`;
  /** Refreshes the first page, with new sends if `count` is over 0. */
  async function refreshHead(count: number) {
    if (count > 0) it.sandbox.addSends(id, count);
    it.clock.forward(61);
    const before = it.sandbox.callCount;
    await it.get(head);
    await until(() => it.sandbox.callCount > before, 'the head is asked for');
    await until(async () => fresh.test((await status(head)) ?? ''), 'the head is fresh');
  }
  async function walk() {
    const all: string[] = [];
    for (let target = head; target !== ''; target = await nextOf(target)) all.push(...(await contacts(target)));
    return all;
  }

  test('a walk after a refresh repeats and misses no row', async () => {
    expect(new Set(await walk()).size).toBe(30);
    const before = it.sandbox.callCount;
    await refreshHead(3);
    const all = await walk();
    expect(all).toHaveLength(33);
    expect(new Set(all).size).toBe(33);
    expect(it.sandbox.callCount).toBeGreaterThan(before + 2);
  });

  test('an unchanged first page keeps the later pages', async () => {
    it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 1000, spacingMs: 86_400_000 });
    await walk();
    const before = it.sandbox.callCount;
    await refreshHead(0);
    await walk();
    expect(it.sandbox.callCount).toBe(before + 1);
  });

  test('a later page in flight when the first page changes is not stored', async () => {
    const tail = await nextOf(head);
    it.sandbox.fault({ kind: 'latency', ms: 400, times: 1 });
    const onItsWay = it.get(tail);
    await until(() => it.sandbox.callCount === 2, 'the tail is asked for');
    await refreshHead(2);
    expect((await onItsWay).status).toBe(200);
    expect(await status(tail)).toBe('sendgate; fwd=uri-miss; fwd-status=200; stored');
  });

  test('a first page of another limit is fetched again too', async () => {
    const other = `${path}?limit=5`;
    await it.get(other);
    await it.get(head);
    await refreshHead(1);
    expect(await status(other)).toBe('sendgate; fwd=request; fwd-status=200; stored');
    expect((await contacts(other))[0]).toBe((await contacts(head))[0]);
    expect(await status(head)).toMatch(/hit/);
  });

  test('an outdated first page of another limit is still served when the upstream fails', async () => {
    const other = `${path}?limit=5`;
    await it.get(other);
    await it.get(head);
    await refreshHead(1);
    it.sandbox.fault({ kind: 'status', status: 500 });
    const before = it.sandbox.callCount;
    for (let i = 0; i < 3; i++) expect((await it.get(other)).status).toBe(200);
    expect(it.sandbox.callCount).toBe(before + 1);
  });

  test('a first page of a new limit can reveal the change', async () => {
    const tail = await nextOf(head);
    await it.get(tail);
    it.sandbox.addSends(id, 1);
    await it.get(`${path}?limit=7`);
    expect(await status(tail)).toContain('fwd=uri-miss');
    expect(await status(head)).toContain('fwd=request');
  });

  test(`the walk from another instant ${api === 'v3' ? 'goes with it, being a view of it' : 'is none of its business'}`, async () => {
    const tail = await nextOf(`${path}?limit=10&created_since=2020-01-01`);
    const before = await contacts(tail);
    await it.get(head);
    await refreshHead(1);
    const after = await contacts(tail);
    if (api === 'v3') expect(after.slice(1)).toEqual(before.slice(0, -1));
    else expect(after).toEqual(before);
  });

  test('a changed later page causes the first page to be fetched again', async () => {
    it.sandbox.campaign({ id, size: 30, newestMs: it.clock.now() - 864_000_000, spacingMs: 1 });
    const tail = await nextOf(head);
    await it.get(tail);
    it.sandbox.addSends(id, 1);
    it.clock.forward(61);
    expect(await status(tail, { 'cache-control': 'no-cache' })).toContain('fwd=request');
    const all = await walk();
    expect(all).toHaveLength(31);
    expect(new Set(all).size).toBe(31);
  });
});

describe('a refusal', () => {
  test('of a campaign is remembered for a minute', async () => {
    for (let i = 0; i < 5; i++) expect((await it.get('/campaigns/404/sends')).status).toBe(404);
    // With v3 a UUID may be a campaign's or an activity's.
    const calls = api === 'v3' ? 2 : 1;
    expect(it.sandbox.callCount).toBe(calls);
    it.sandbox.campaign({ id: '404', size: 1, newestMs: it.clock.now() });
    it.clock.forward(61);
    expect((await it.get('/campaigns/404/sends')).status).toBe(200);
    expect(it.sandbox.callCount).toBe(calls + 1);
  });

  test('of a cursor is remembered too', async () => {
    for (let i = 0; i < 5; i++) expect((await it.get(`${path}?next=${cursorOf('nonsense')}`)).status).toBe(400);
    expect(it.sandbox.callCount).toBe(1);
  });
});

describe('the cache', () => {
  test('stays within its bytes, and stores no page larger than all of them', async () => {
    const small = await start({ SENDGATE_CACHE_MAX_BYTES: String(1024 * 1024) });
    try {
      for (let n = 1; n <= 120; n++) {
        small.sandbox.campaign({ id: String(n), size: 500, newestMs: Date.now() });
        await small.get(`/campaigns/${n}/sends`);
        expect(small.service.status().cache.bytes).toBeLessThanOrEqual(1024 * 1024);
      }
      expect(small.service.pages.count).toBeLessThan(100);
      small.sandbox.forget();
      await small.get('/campaigns/120/sends');
      expect(small.sandbox.callCount).toBe(0);
      await small.get('/campaigns/1/sends');
      expect(small.sandbox.callCount).toBe(1);
    } finally {
      await small.close();
    }
  });

  test('stores two spellings of one query once', async () => {
    const spellings = [
      'created_since=2012-12-06',
      'created_since=2012-12-06T00:00Z',
      'created_since=2012-12-06T02:00:00.000%2B02:00',
      'limit=500&created_since=2012-12-06',
      'created_since=2012-12-06&limit=0500',
    ];
    for (const spelling of spellings) await it.get(`${path}?${spelling}`);
    expect(it.sandbox.callCount).toBe(1);
    // If the upstream does not filter, the view's source page is cached too.
    expect(it.service.pages.count).toBe(api === 'v3' ? 2 : 1);
  });
});

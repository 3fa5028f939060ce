/**
 * The wall clock is set back or forward by an hour, as by NTP or on resume: no duration changes.
 */
import { mkdtempSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Page } from '../../src/cache/page.ts';
import { hitInMemory, type Lookup } from '../../src/cache/page-source.ts';
import { refreshTokens } from '../../src/upstream/oauth/refresh.ts';
import type { StoredTokens } from '../../src/upstream/oauth/stored-tokens.ts';
import { readTokens, writeTokens } from '../../src/upstream/oauth/token-file.ts';
import { Tokens } from '../../src/upstream/oauth/tokens.ts';
import type { Asking } from '../../src/workers/channel.ts';
import { Copies } from '../../src/workers/copies.ts';
import { PrimaryCounter } from '../../src/workers/primary-counter.ts';
import { FakeClock, ForwardClock, settled } from '../support/clock.ts';
import {
  type Environment,
  type Harness,
  oauth,
  start,
  startInstance,
  startSandbox,
  until,
} from '../support/harness.ts';
import { firstPage } from '../support/queries.ts';
import { RedisServer } from '../support/redis.ts';

const hourMs = 3_600_000;
const path = '/campaigns/1/sends';
const folder = mkdtempSync(join(tmpdir(), 'sendgate-clock-'));

const running: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});

async function up(env: Environment = {}, version: 'v2' | 'v3' = 'v2'): Promise<Harness> {
  const it = await start(env, {}, version);
  running.push(it);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: it.clock.now() });
  return it;
}

describe.each([-hourMs, hourMs])('with the clock set %d ms off', (ms) => {
  test('a page keeps its freshness and age, and is refreshed on time', async () => {
    const { sandbox, clock, get } = await up();
    await get(path);
    clock.forward(20);
    clock.stepWall(ms);
    const held = await get(path);
    expect(held.headers.get('cache-status')).toMatch(/^sendgate; hit; ttl=(39|40)$/);
    expect(held.headers.get('age')).toMatch(/^2[01]$/);
    clock.forward(41);
    expect((await get(path)).headers.get('cache-status')).toMatch(/detail=stale-while-revalidate$/);
    const isFresh = async () => /; ttl=\d/.test((await get(path)).headers.get('cache-status') ?? '');
    await until(isFresh, 'it is refreshed');
    expect(sandbox.callCount).toBe(2);
    clock.forward(61);
    expect((await get(path, { 'cache-control': 'max-age=1' })).headers.get('age')).toBe('0');
    expect(sandbox.callCount).toBe(3);
  });

  test('a page and a summary expire on time, and a refusal is fetched again', async () => {
    const env = { SENDGATE_CACHE_STALE_IF_ERROR_SECONDS: '600', SENDGATE_CACHE_NOT_FOUND_SECONDS: '30' };
    const { sandbox, clock, get } = await up(env);
    const statuses = async () =>
      (await Promise.all([path, '/campaigns/404/sends', '/campaigns/1/summary'].map((one) => get(one)))).map(
        ({ status }) => status,
      );
    expect(await statuses()).toEqual([200, 404, 200]);
    clock.stepWall(ms);
    expect(await statuses()).toEqual([200, 404, 200]);
    expect(sandbox.callCount).toBe(3);
    sandbox.fault({ kind: 'status', status: 400 });
    clock.forward(661);
    // A summary is fresh for five minutes, where a page is for one.
    expect(await statuses()).toEqual([502, 502, 200]);
    const hasFailed = async () =>
      /stale-if-error/.test((await get('/campaigns/1/summary')).headers.get('cache-status') ?? '');
    await until(hasFailed, 'its refresh has failed');
    clock.forward(240);
    expect(await statuses()).toEqual([502, 502, 502]);
  });

  test('a v2 id unknown to v3 is looked up again on time', async () => {
    const { sandbox, clock, get } = await up({}, 'v3');
    expect((await get('/campaigns/404/sends')).status).toBe(404);
    clock.stepWall(ms);
    expect((await get('/campaigns/404/sends?limit=1')).status).toBe(404);
    expect(sandbox.callCount).toBe(1);
    sandbox.campaign({ id: '404', size: 1, newestMs: 0 });
    clock.forward(61);
    expect((await get('/campaigns/404/sends')).status).toBe(200);
  });

  test('a client over its rate waits for the rest of its minute, with one process and with several workers', async () => {
    const { clock, get } = await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '2' });
    for (let n = 0; n < 2; n++) await get(path);
    clock.forward(20);
    clock.stepWall(ms);
    const over = await get(path);
    expect(over.status).toBe(429);
    expect(over.headers.get('retry-after')).toMatch(/^(39|40)$/);
    clock.forward(41);
    expect((await get(path)).status).toBe(200);

    const fake = new FakeClock();
    const counting = new PrimaryCounter(fake);
    await counting.add('a', 2, 60_000);
    fake.stepWall(ms);
    await fake.pass(20_000);
    expect(await counting.add('a', 1, 60_000)).toEqual({ total: 3, leftMs: 40_000 });
    await fake.pass(40_000);
    expect(await counting.add('a', 1, 60_000)).toEqual({ total: 1, leftMs: 60_000 });
  });

  test("a worker's copy is served for as long as the primary allows, with the age of its page", async () => {
    const clock = new FakeClock();
    const body = { etag: 'W/"1"', lastModified: undefined, next: undefined, cursor: undefined, br: Buffer.of(1) };
    // The primary started long ago, so its monotonic clock has another origin.
    const times = { fetchedAt: 1_000_000, freshUntil: 1_070_000, generation: 1, failedAt: undefined };
    const page: Page = { kind: 'page', body: { ...body, identityBytes: 1 }, ...times };
    const lookup: Lookup = { page, outcome: hitInMemory };
    const primary = { ask: async () => ({ lookup, at: 1_010_000, goodForMs: 60_000 }) } as unknown as Asking;
    const copies = new Copies(primary, clock, 1e6);
    const query = firstPage('1');
    await copies.get(query, { team: 'a' });
    clock.stepWall(ms);
    await clock.pass(59_999);
    const copy = copies.hit(query)?.page;
    expect(clock.monotonic() - (copy?.fetchedAt ?? 0)).toBe(69_999);
    expect((copy?.freshUntil ?? 0) - clock.monotonic()).toBe(1);
    await clock.pass(1);
    expect(copies.hit(query)).toBeUndefined();
  });

  test("the day's gate is probed within the hour, and the day ends by the wall clock", async () => {
    const { sandbox, clock, get } = await up();
    clock.forward((86_400_000 - (clock.now() % 86_400_000)) / 1000 + 2 * 3600);
    sandbox.fault({ kind: 'over-ratelimit', times: 1 });
    expect((await get(path)).status).toBe(503);
    clock.stepWall(ms);
    expect(Number((await get(path)).headers.get('retry-after'))).toBeLessThanOrEqual(86_400);
    clock.forward(3_601);
    expect((await get(path)).status).toBe(200);
  });

  test('a token is renewed at four fifths of its life', async () => {
    const clock = new FakeClock();
    const startedAt: number[] = [];
    let file: StoredTokens | undefined;
    const tokens = new Tokens({
      clock,
      read: () => file,
      refresh: async () => {
        startedAt.push(clock.monotonic());
        const now = clock.now();
        const names = { accessToken: `access ${startedAt.length}`, refreshToken: 'refresh' };
        file = { clientId: 'c', ...names, issuedAt: now, expiresAt: now + 1_000_000 };
        return { outcome: 'renewed' };
      },
      watch: () => () => {},
      onTokens: () => {},
      onOutcome: () => {},
    });
    await clock.pass(1);
    for (let life = 1; life <= 3; life++) {
      clock.stepWall(ms);
      await clock.pass((startedAt.at(-1) ?? 0) + 740_000 - clock.monotonic());
      expect(startedAt).toHaveLength(life);
      expect(tokens.lifeLeftMs).toBeGreaterThan(100_000);
      await clock.pass(130_000);
      expect(startedAt).toHaveLength(life + 1);
    }
    // A file from another process, or from this one before the step.
    file = { ...(file as StoredTokens), accessToken: 'other', issuedAt: clock.now() + hourMs };
    file = { ...file, expiresAt: file.issuedAt + 1_000_000 };
    tokens.reload();
    expect(tokens.lifeLeftMs).toBeLessThanOrEqual(1_000_000);
    await tokens.close();
  });
});

/** A clock by which a test sweeps. */
class SweepingClock extends ForwardClock {
  sweep = () => {};

  override after(ms: number, run: () => void) {
    if (ms !== hourMs) return super.after(ms, run);
    this.sweep = run;
    return () => {};
  }
}

const tenYearsMs = 3_652 * 24 * hourMs;

async function stored(clock: ForwardClock) {
  const sandbox = await startSandbox({ clock });
  running.push({ close: () => sandbox.stop() });
  for (const id of ['1', '2', '3']) sandbox.campaign({ id, size: 20, newestMs: clock.now() - hourMs });
  const env = { SENDGATE_STORAGE_DIRECTORY: mkdtempSync(join(folder, 'off-')), SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
  const run = async () => {
    const it = await startInstance(sandbox, clock, env, 'v2');
    running.push(it);
    return it;
  };
  const stop = async (it: Harness) => {
    running.splice(running.indexOf(it), 1);
    await it.close();
  };
  const walk = async ({ page, get }: Harness, ids: readonly string[]) => {
    for (const id of ids) {
      const { meta } = await page(`/campaigns/${id}/sends?limit=10`);
      expect((await get(meta.pagination.next_link ?? '')).status).toBe(200);
    }
  };
  return { sandbox, run, stop, walk };
}

describe.each([
  ['ahead', tenYearsMs],
  ['back', -tenYearsMs],
])('with the clock set ten years %s', (_, ms) => {
  test('for a moment, every page that was stored before or after it is there after a restart', async () => {
    const clock = new ForwardClock();
    const { sandbox, run, stop, walk } = await stored(clock);
    const first = await run();
    await walk(first, ['1']);
    clock.stepWall(ms);
    await walk(first, ['2']);
    clock.stepWall(-ms);
    await walk(first, ['3']);
    await stop(first);
    sandbox.forget();
    await walk(await run(), ['1', '3']);
    expect(sandbox.callCount).toBe(0);
  });

  test('for a moment while files are swept, no page is removed', async () => {
    const clock = new SweepingClock();
    const { sandbox, run, stop, walk } = await stored(clock);
    const first = await run();
    await walk(first, ['1', '2']);
    await until(() => first.service.status().storage.pages === 4, 'they are stored');
    clock.stepWall(ms);
    clock.sweep();
    await stop(first);
    clock.stepWall(-ms);
    sandbox.forget();
    await walk(await run(), ['1', '2']);
    expect(sandbox.callCount).toBe(0);
  });
});

// The other way round, pages have expired for it.
test('with the clock ten years back until after the start, no page is removed', async () => {
  const clock = new SweepingClock();
  const { sandbox, run, stop, walk } = await stored(clock);
  const first = await run();
  await walk(first, ['1', '2']);
  await stop(first);
  clock.stepWall(-tenYearsMs);
  const early = await run();
  await until(() => early.service.status().storage.pages === 4, 'they are found');
  clock.stepWall(tenYearsMs);
  clock.sweep();
  for (let turns = 0; turns < 50; turns++) await settled();
  expect(early.service.status().storage.pages).toBe(4);
  await stop(early);
  sandbox.forget();
  await walk(await run(), ['1', '2']);
  expect(sandbox.callCount).toBe(0);
});

describe('with the clock set back', () => {
  const order = (url: string, name: string) => ({
    ...oauth,
    tokenUrl: `${url}/oauth2/default/v1/token`,
    tokenFile: join(folder, name),
    userAgent: 'test',
    timeoutMs: 300,
  });

  test('refreshed tokens still count as later than those they replace', async () => {
    const sandbox = await startSandbox();
    running.push({ close: () => sandbox.stop() });
    const first = order(sandbox.url, 'later.json');
    await refreshTokens(first);
    const before = readTokens(first.tokenFile, first.clientId) as StoredTokens;
    await refreshTokens({ ...first, replaces: before.accessToken }, { now: () => Date.now() - hourMs });
    const after = readTokens(first.tokenFile, first.clientId) as StoredTokens;
    expect(after.refreshToken).not.toBe(before.refreshToken);
    expect(after.issuedAt).toBeGreaterThan(before.issuedAt);
    expect(after.expiresAt - after.issuedAt).toBe(before.expiresAt - before.issuedAt);
  });

  test('the lock of a dead process goes stale before the clock has caught up', async () => {
    const sandbox = await startSandbox();
    running.push({ close: () => sandbox.stop() });
    const first = order(sandbox.url, 'locked.json');
    const lock = `${first.tokenFile}.lock`;
    writeFileSync(lock, '');
    const inAnHour = Date.now() / 1000 + 3_600;
    utimesSync(lock, inAnHour, inAnHour);
    expect(await refreshTokens(first)).toEqual({ outcome: 'failed', reason: 'locked' });
    expect(statSync(lock).mtimeMs).toBeLessThanOrEqual(Date.now());
    const aMinuteAgo = Date.now() / 1000 - 61;
    utimesSync(lock, aMinuteAgo, aMinuteAgo);
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
    writeTokens(first.tokenFile, JSON.parse(readFileSync(first.tokenFile, 'utf8')));
  });

  test('a page that another instance fetched far in the future is fetched again; moments ahead is fresh', async () => {
    const redis = await RedisServer.start();
    running.push({ close: () => redis.stop() });
    const clocks = [new ForwardClock(), new ForwardClock()] as const;
    const sandbox = await startSandbox({ clock: clocks[0] });
    running.push({ close: () => sandbox.stop() });
    for (const id of ['1', '2', '3']) sandbox.campaign({ id, size: 3, newestMs: Date.now() });
    const env = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
    const [a, b] = (await Promise.all(clocks.map((clock) => startInstance(sandbox, clock, env)))) as [Harness, Harness];
    running.push(a, b);
    const sends = (id: number) => `/campaigns/${id}/sends`;
    await a.get(sends(1));
    clocks[1].stepWall(-2_000);
    const shared = await b.get(sends(1));
    expect(shared.headers.get('cache-status')).toContain('detail=shared');
    expect(shared.headers.get('age')).toBe('0');
    await a.get(sends(2));
    await a.get('/campaigns/404/sends');
    clocks[1].stepWall(-hourMs);
    expect(sandbox.callCount).toBe(3);
    expect((await b.get(sends(2))).headers.get('cache-status')).toContain('fwd=');
    expect((await b.get('/campaigns/404/sends')).status).toBe(404);
    expect(sandbox.callCount).toBe(5);
    // In the other direction, a page looks older than it is.
    await b.get(sends(3));
    expect((await a.get(sends(3))).headers.get('cache-status')).toContain('stale');
  });
});

/**
 * Generations of walks, shared by instances: what two of them store, and what each then finds.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { identityOf } from '../src/cache/compression.ts';
import { makeBody, type PageBody, tagOf } from '../src/cache/page.ts';
import type { PageOfWalk } from '../src/cache/page-of-walk.ts';
import { recordVersion } from '../src/cache/page-record.ts';
import type { SecondLevelReply } from '../src/cache/second-level.ts';
import { Demand } from '../src/quota/demand.ts';
import type { Redis } from '../src/redis/redis.ts';
import { ForwardClock } from './support/clock.ts';
import { until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';
import { joinRedis } from './support/second-level.ts';

const clock = new ForwardClock();
let server: RedisServer;
const open: Redis[] = [];
/** The first send of each content. */
const firsts = new Map<string, string>();

beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const redis of open.splice(0)) await redis.close();
  await server.stop();
});

async function join() {
  const { redis, generations, secondLevel } = joinRedis(server.url, clock, { timeoutMs: 500 });
  open.push(redis);
  await redis.started();
  const rebuild = (json: string) => ({
    json,
    next: undefined,
    cursor: undefined,
    newestMs: 1,
    first: firsts.get(json) ?? '',
  });
  const look = (page: PageOfWalk): Promise<SecondLevelReply> =>
    secondLevel.look(
      page,
      { notBefore: 0, mayBeStale: true, known: undefined, rebuild },
      new Demand('team', 'interactive'),
      new AbortController().signal,
    );
  return {
    generation: () => generations.of('walk').generation,
    look,
    find: async (page: PageOfWalk) => {
      const seen = await look(page);
      if (seen.kind === 'lease') seen.lease.failed(undefined);
      return seen.kind === 'page' ? (await identityOf(seen.page.body)).toString() : seen.kind;
    },
    /** Simulates a fetch that returned this content. */
    store: async (
      page: PageOfWalk,
      text: string,
      about: { first?: string; askedIn?: number; before?: string } = {},
    ) => {
      firsts.set(padded(text), about.first ?? '');
      const body: PageBody = await makeBody({
        json: text.padEnd(100),
        next: undefined,
        cursor: undefined,
        newestMs: 1,
      });
      const seen = await secondLevel.look(
        page,
        { notBefore: Number.MAX_SAFE_INTEGER, mayBeStale: false, known: undefined, rebuild },
        new Demand('team', 'interactive'),
        new AbortController().signal,
      );
      if (seen.kind !== 'lease') throw new Error(seen.kind);
      const times = { fetchedAt: clock.monotonic(), freshUntil: clock.monotonic() + 60_000 };
      return seen.lease.stored(
        { body, ...times },
        {
          of: page,
          etag: body.etag,
          firstRow: about.first ?? '',
          askedIn: about.askedIn ?? generations.of('walk').generation,
          previousEtag: about.before === undefined ? undefined : tagOf(about.before.padEnd(100)),
        },
      );
    },
  };
}

const first = (limit: number): PageOfWalk => ({ kind: 'first', walk: 'walk', limit });
const later = (cursor: string): PageOfWalk => ({ kind: 'next', walk: 'walk', cursor });
const padded = (text: string) => text.padEnd(100);

test('an unchanged first page keeps the generation and the later pages', async () => {
  const [a, b] = [await join(), await join()];
  const generation = await a.store(first(500), 'first', { first: 'x' });
  await a.store(later('1'), 'later');
  expect(await b.store(first(500), 'first', { first: 'x' })).toBe(generation);
  expect(await b.store(first(10), 'short first', { first: 'x' })).toBe(generation);
  expect(await b.find(later('1'))).toBe(padded('later'));
});

test.each([
  ['another newest send', first(500), 'new first', 'y'],
  ['the same newest send, and others behind it', first(500), 'other first', 'x'],
  ['another newest send, at another limit', first(10), 'short first', 'y'],
])('a first page with %s invalidates the later pages on every instance', async (_, page, text, firstRow) => {
  const [a, b] = [await join(), await join()];
  const before = (await a.store(first(500), 'first', { first: 'x' })) ?? 0;
  await a.store(later('1'), 'later');
  expect(await b.find(later('1'))).toBe(padded('later'));
  const after = (await a.store(page, text, { first: firstRow })) ?? 0;
  expect(after).toBeGreaterThan(before);
  await until(() => b.generation() === after, 'it is heard');
  expect(await b.find(later('1'))).toBe('lease');
  expect(await b.find(page)).toBe(padded(text));
});

test('a changed later page ends its generation and is not stored', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(first(500), 'first', { first: 'x' });
  const before = a.generation();
  await a.store(later('1'), 'later');
  await a.store(later('2'), 'another', { before: 'what it was' });
  await until(() => b.generation() > before, 'it is heard');
  for (const page of [later('1'), later('2'), first(500)]) expect(await b.find(page)).toBe('lease');
});

test('a later page fetched in an earlier generation is not stored', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(first(500), 'first', { first: 'x' });
  const ended = a.generation();
  await a.store(first(500), 'new first', { first: 'y' });
  expect(await a.store(later('1'), 'old later', { askedIn: ended })).toBe(ended);
  expect(await b.find(later('1'))).toBe('lease');
  await a.store(later('1'), 'new later');
  await a.store(later('1'), 'old later', { askedIn: ended });
  expect(await b.find(later('1'))).toBe(padded('new later'));
});

test('a first page that another instance had unchanged is stored, and its generation goes on', async () => {
  const [a, b, c] = [await join(), await join(), await join()];
  await a.store(first(500), 'first', { first: 'x' });
  await a.store(later('1'), 'later');
  await server.ask((client) => client.del(`t:1:{${recordVersion}|v2|walk}:limit=500`));
  expect(await b.store(first(500), 'first', { first: 'x' })).toBe(a.generation());
  for (const page of [first(500), later('1')]) expect(await c.find(page)).not.toBe('lease');
});

test('an instance publishes a later generation that it knows', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(first(500), 'first', { first: 'x' });
  const late = a.generation();
  await server.ask((client) => client.hset(`t:1:{${recordVersion}|v2|walk}`, 'g', String(late - 5)));
  expect(await a.find(first(500))).toBe(padded('first'));
  expect(await server.ask((client) => client.hget(`t:1:{${recordVersion}|v2|walk}`, 'g'))).toBe(String(late));
  await until(() => b.generation() === late, 'it is heard');
});

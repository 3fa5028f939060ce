/**
 * The generations of walks, kept by instances together: what two of them store, and what each then finds.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { identityOf } from '../src/cache/compression.ts';
import { Walks } from '../src/cache/generations.ts';
import { makeBody, type PageBody, tagOf } from '../src/cache/page.ts';
import { recordVersion } from '../src/cache/record.ts';
import { type Place, type Seen, SharedPages } from '../src/cache/shared-pages.ts';
import { parseRedisUrl } from '../src/config/redis-url.ts';
import { Demand } from '../src/quota/demand.ts';
import { digestWith } from '../src/redis/digests.ts';
import { Redis } from '../src/redis/redis.ts';
import { ForwardClock } from './support/clock.ts';
import { until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const clock = new ForwardClock();
let server: RedisServer;
const open: Redis[] = [];
/** Of each text, its first send. */
const firsts = new Map<string, string>();

beforeEach(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const redis of open.splice(0)) await redis.close();
  await server.stop();
});

/** What an instance has to do with shared pages, without the instance. */
async function join() {
  const address = parseRedisUrl(server.url);
  if (!address) throw new Error('no address');
  const redis = new Redis(address, { timeoutMs: 500, keyPrefix: 't:' }, clock, { changed: () => {}, asked: () => {} });
  open.push(redis);
  await redis.started();
  const walks = new Walks(100, clock);
  const pages = new SharedPages(
    {
      ...{ redis, walks, clock, keys: undefined, onUnreadable: () => {} },
      ...{ digest: digestWith(() => undefined), teams: new Set(['team']) },
    },
    {
      ...{ namespace: 'v2', staleIfErrorSeconds: 1_000, maxFreshSeconds: 1_000, notFoundSeconds: 60 },
      ...{ maxPageBytes: 10_000, maxWaitMs: 1_000 },
    },
  );
  const rebuild = (json: string) => ({
    json,
    next: undefined,
    cursor: undefined,
    newestMs: 1,
    first: firsts.get(json) ?? '',
  });
  const look = (place: Place): Promise<Seen> =>
    pages.look(
      place,
      { notBefore: 0, mayBeStale: true, known: undefined, rebuild },
      new Demand('team', 'interactive'),
      new AbortController().signal,
    );
  return {
    generation: () => walks.of('walk').generation,
    look,
    find: async (place: Place) => {
      const seen = await look(place);
      if (seen.kind === 'turn') seen.turn.failed(undefined);
      return seen.kind === 'page' ? (await identityOf(seen.page.body)).toString() : seen.kind;
    },
    /** As if the page had been asked for, and this had come. */
    store: async (place: Place, text: string, about: { first?: string; askedIn?: number; before?: string } = {}) => {
      firsts.set(page(text), about.first ?? '');
      const body: PageBody = await makeBody({
        json: text.padEnd(100),
        next: undefined,
        cursor: undefined,
        newestMs: 1,
      });
      const seen = await pages.look(
        place,
        { notBefore: Number.MAX_SAFE_INTEGER, mayBeStale: false, known: undefined, rebuild },
        new Demand('team', 'interactive'),
        new AbortController().signal,
      );
      if (seen.kind !== 'turn') throw new Error(seen.kind);
      const times = { fetchedAt: clock.monotonic(), freshUntil: clock.monotonic() + 60_000 };
      return seen.turn.stored(
        { body, ...times },
        {
          limit: place.limit,
          etag: body.etag,
          first: about.first ?? '',
          askedIn: about.askedIn ?? walks.of('walk').generation,
          previousEtag: about.before === undefined ? undefined : tagOf(about.before.padEnd(100)),
        },
      );
    },
  };
}

const head = (limit: number): Place => ({ walk: 'walk', limit, cursor: undefined });
const tail = (cursor: string): Place => ({ walk: 'walk', limit: undefined, cursor });
const page = (text: string) => text.padEnd(100);

test('a head that is what it was leaves the generation and the tails', async () => {
  const [a, b] = [await join(), await join()];
  const generation = await a.store(head(500), 'head', { first: 'x' });
  await a.store(tail('1'), 'tail');
  expect(await b.store(head(500), 'head', { first: 'x' })).toBe(generation);
  expect(await b.store(head(10), 'short head', { first: 'x' })).toBe(generation);
  expect(await b.find(tail('1'))).toBe(page('tail'));
});

test.each([
  ['another newest send', head(500), 'new head', 'y'],
  ['the same newest send, and others behind it', head(500), 'other head', 'x'],
  ['another newest send, at another limit', head(10), 'short head', 'y'],
])('a head with %s ends the tails, and every instance hears of it', async (_, place, text, first) => {
  const [a, b] = [await join(), await join()];
  const before = (await a.store(head(500), 'head', { first: 'x' })) ?? 0;
  await a.store(tail('1'), 'tail');
  expect(await b.find(tail('1'))).toBe(page('tail'));
  const after = (await a.store(place, text, { first })) ?? 0;
  expect(after).toBeGreaterThan(before);
  await until(() => b.generation() === after, 'it is heard');
  expect(await b.find(tail('1'))).toBe('turn');
  expect(await b.find(place)).toBe(page(text));
});

test('a tail that differs from what it was ends its generation, and is not kept', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(head(500), 'head', { first: 'x' });
  const before = a.generation();
  await a.store(tail('1'), 'tail');
  await a.store(tail('2'), 'another', { before: 'what it was' });
  await until(() => b.generation() > before, 'it is heard');
  for (const place of [tail('1'), tail('2'), head(500)]) expect(await b.find(place)).toBe('turn');
});

test('a tail that was asked for in a generation that has ended is not kept', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(head(500), 'head', { first: 'x' });
  const ended = a.generation();
  await a.store(head(500), 'new head', { first: 'y' });
  expect(await a.store(tail('1'), 'old tail', { askedIn: ended })).toBe(ended);
  expect(await b.find(tail('1'))).toBe('turn');
  await a.store(tail('1'), 'new tail');
  await a.store(tail('1'), 'old tail', { askedIn: ended });
  expect(await b.find(tail('1'))).toBe(page('new tail'));
});

test('an instance that knows of a later generation tells it', async () => {
  const [a, b] = [await join(), await join()];
  await a.store(head(500), 'head', { first: 'x' });
  const late = a.generation();
  await server.ask((client) => client.hset(`t:1:{${recordVersion}|v2|walk}`, 'g', String(late - 5)));
  expect(await a.find(head(500))).toBe(page('head'));
  expect(await server.ask((client) => client.hget(`t:1:{${recordVersion}|v2|walk}`, 'g'))).toBe(String(late));
  await until(() => b.generation() === late, 'it is heard');
});

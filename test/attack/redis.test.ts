/**
 * A Redis that an attacker can read, and write.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { RenderedContent } from '../../src/cache/page.ts';
import { makeBody, tagOf } from '../../src/cache/page.ts';
import { readRecord, recordVersion, writeRecord } from '../../src/cache/page-record.ts';
import { redisCounter } from '../../src/callers/rate-limit/shared-counter.ts';
import { Demand } from '../../src/quota/demand.ts';
import { digestWith } from '../../src/redis/digests.ts';
import type { Redis } from '../../src/redis/redis.ts';
import type { Reply } from '../../src/redis/scripts.ts';
import { renderPage } from '../../src/reports/page-json.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf } from '../../src/sandbox/v3.ts';
import { readTokens, writeTokens } from '../../src/upstream/oauth/token-file.ts';
import { ForwardClock } from '../support/clock.ts';
import {
  type Environment,
  type Harness,
  oauth,
  type PageJson,
  startInstance,
  startSandbox,
  until,
} from '../support/harness.ts';
import { firstPage } from '../support/queries.ts';
import { RedisServer } from '../support/redis.ts';
import { joinRedis } from '../support/second-level.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-redis-attack-'));
const channel = 'sendgate:1:events';
const day = 86_400_000;
let server: RedisServer;
let sandbox: Sandbox;
let clock: ForwardClock;
let instances: Harness[];
const closing: (() => Promise<unknown>)[] = [];
let campaign = 100;

beforeAll(async () => {
  server = await RedisServer.start();
});
beforeEach(async () => {
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  campaign++;
  sandbox.campaign({ id: String(campaign), size: 30, newestMs: Date.now() });
  instances = [];
});
afterEach(async () => {
  await Promise.all([...instances, ...closing.splice(0).map((close) => ({ close }))].map((one) => one.close()));
  await sandbox.stop();
  await server.ask((client) => client.flushall());
});
afterAll(async () => {
  await server.stop();
});

/** One more Sendgate with this Redis. */
async function add(env: Environment = {}, version: 'v2' | 'v3' = 'v2'): Promise<Harness> {
  const own = { REDIS_URL: server.url, SENDGATE_REDIS_TIMEOUT_MS: '2000', SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
  const instance = await startInstance(sandbox, clock, { ...own, ...env }, version);
  instances.push(instance);
  return instance;
}

const path = () => `/campaigns/${campaign}/sends?limit=10`;
const pageKey = async () => (await server.ask((client) => client.keys(`*|${campaign}|*limit=10`)))[0] ?? '';
const walkKey = async () => (await server.ask((client) => client.keys(`*|${campaign}|sends|}`)))[0] ?? '';
const how = (answer: Response) => answer.headers.get('cache-status') ?? '';
const status = async (answer: Promise<Response>) => (await answer).status;

async function walk(instance: Harness): Promise<string[]> {
  const seen: string[] = [];
  for (let next: string | undefined = path(); next; ) {
    const page: PageJson = await instance.page(next);
    seen.push(...page.results.map(({ contact_id }) => contact_id));
    next = page.meta.pagination.next_link;
  }
  return seen;
}

describe('A reader of Redis', () => {
  test('can confirm no guess about content or clients if pages are encrypted', async () => {
    const file = join(folder, 'keys');
    writeFileSync(file, `${randomBytes(32).toString('base64')}\n`);
    const env = { SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file };
    const spy = new Client(server.port);
    await spy.ping(); // ioredis fails at what it sees another client do while it begins to monitor.
    const monitor = await spy.monitor();
    const seen: string[] = [];
    monitor.on('monitor', (_time: string, args: string[]) => seen.push(args.join(' ')));
    const subscriber = new Client(server.port);
    subscriber.on('message', (_channel, text) => seen.push(text));
    await subscriber.subscribe(channel);
    const [a, b] = [await add(env), await add(env)];
    const head = await a.get(path());
    const { results, meta } = (await head.json()) as PageJson;
    const etag = head.headers.get('etag') ?? '';
    await walk(a);
    expect(how(await b.get(path()))).toContain('detail=shared');
    await until(() => seen.some((line) => line.includes(':rate:')), 'counts are told');
    for (const client of [monitor, subscriber, spy]) client.disconnect();

    const cursor = new URL(meta.pagination.next_link ?? '', 'http://x').searchParams.get('next') ?? '';
    const first = `${results[0]?.contact_id} ${results[0]?.send_date}`;
    const guesses = [etag, etag.slice(3, -1), first, `=${first}`, cursor, 'default 127.0.0.1', '127.0.0.1'];
    const all = [...seen, (await server.dump()).toString('latin1')].join('\n');
    expect(all).not.toContain(etag.slice(3, -1));
    expect(all).not.toContain(first);
    for (const guess of guesses) {
      const digest = createHash('sha256').update(guess).digest();
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        expect(all).not.toContain(digest.toString(form).slice(0, 12));
      }
    }
  });

  test('learns no address from the names of counts if nothing is encrypted', async () => {
    const a = await add();
    await a.get(path());
    const keys = () => server.ask((client) => client.keys('*:rate:*'));
    await until(async () => (await keys()).length === 1, 'it is counted');
    const digest = createHash('sha256').update('default 127.0.0.1').digest('base64url');
    expect(await keys()).not.toEqual([expect.stringContaining(digest.slice(0, 32))]);
    const b = await add();
    await b.get(path());
    await until(
      async () => Number(await server.ask(async (client) => client.get((await keys())[0] ?? ''))) === 2,
      'both',
    );
  });

  test.each([
    ['the new key has come as the last', [0], [0, 1], 3],
    // The pages behind cursors have other names: those are fetched once more.
    ['the new key has come to be the first', [0, 1], [1, 0], 5],
    ['the old key is taken out', [1, 0], [1], 3],
  ])('in a rotation, while %s: two instances walk through whole campaigns', async (_, one, other, calls) => {
    const keys = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
    const ring = (which: readonly number[]) => {
      const file = join(folder, `ring-${randomBytes(4).toString('hex')}`);
      writeFileSync(file, which.map((n) => `${keys[n]}\n`).join(''));
      return { SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file };
    };
    const [a, b] = [await add(ring(one)), await add(ring(other))];
    for (const instance of [a, b, a, b]) expect(new Set(await walk(instance)).size).toBe(30);
    expect(sandbox.callCount).toBe(calls);
  });
});

/** A record as it would be written without keys. */
function forged(key: string, head: object, br: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  const content = Buffer.concat([length, json, br]);
  const digest = createHash('sha256').update(key).update('\n').update(content).digest().subarray(0, 16);
  return Buffer.concat([Buffer.of(recordVersion, 0), digest, content]);
}

const row = (more: object = {}) => ({
  activity_type: 'EMAIL_SEND',
  campaign_id: '1',
  contact_id: '2',
  email_address: 'forged@example.com',
  send_date: '2026-01-01T00:00:00.000Z',
  ...more,
});
const first = '2 2026-01-01T00:00:00.000Z';
const page = (results: unknown, pagination: object = {}) => JSON.stringify({ meta: { pagination }, results });

interface Forgery {
  readonly json: string;
  readonly head?: Readonly<Record<string, unknown>>;
  readonly br?: Buffer;
}

const evil = 'https://evil.example/?next=x';
const deep = `${'['.repeat(150_000)}${']'.repeat(150_000)}`;
const forgeries: Readonly<Record<string, Forgery>> = {
  'that unpacks to 50 MB': {
    json: '',
    br: brotliCompressSync(Buffer.alloc(50 << 20)),
    head: { identityBytes: 50 << 20 },
  },
  'that unpacks to more than it says': { json: page([row()]), br: brotliCompressSync(Buffer.alloc(8 << 20)) },
  'that is shorter than it says': { json: page([row()]), head: { identityBytes: 100_000 } },
  'that cannot be unpacked': { json: page([row()]), br: randomBytes(200) },
  'with the tag of another page': { json: page([row()]), head: { etag: tagOf('another') } },
  'with a link to another host': { json: page([row()], { next_link: evil }), head: { cursor: 'x' } },
  'with a link that ends the header': {
    json: page([row()], { next_link: '/x\r\nSet-Cookie: a=b' }),
    head: { cursor: 'x\r\nSet-Cookie: a=b' },
  },
  'with a link to a page of another campaign': {
    json: page([row()], { next_link: '/campaigns/1/sends?next=x' }),
    head: { cursor: 'x' },
  },
  'with another first send': { json: page([row()]), head: { first: 'another' } },
  'with an extra field': { json: page([row({ secret: 'x' })]) },
  'with a field of another type': { json: page([row({ contact_id: 2 })]) },
  'that is no page': { json: '<html><script>alert(1)</script></html>'.padEnd(100) },
  'that is as deep as the sea': { json: `{"meta":{},"results":${deep}}` },
  'with a date in the header that is none': { json: page([row()]), head: { lastModified: 'x\r\ny: z', next: evil } },
};

describe('A forged record', () => {
  const env = { SENDGATE_CONSTANT_CONTACT_MAX_RESPONSE_BYTES: '2000000' };

  test.each(Object.entries(forgeries))('%s is fetched again, and never served', async (name, { json, head, br }) => {
    const a = await add(env);
    const right = await (await a.get(path())).text();
    const key = await pageKey();
    const [g, f, u] = (await server.ask((client) => client.hmget(key, 'g', 'f', 'u'))).map(Number);
    const times = { generation: g, fetchedAt: f, freshUntil: u };
    const header = { etag: tagOf(json), first, identityBytes: Buffer.byteLength(json), ...times, ...head };
    const record = forged(key, header, br ?? brotliCompressSync(json));
    await server.ask((client) => client.hset(key, 'r', record));
    const b = await add(env);
    const calls = sandbox.callCount;
    const answer = await b.get(path());
    const isHarmless = name.includes('date in the header'); // It is not read any more.
    expect([answer.status, answer.headers.get('set-cookie'), answer.headers.get('y')]).toEqual([200, null, null]);
    if (isHarmless) return expect(answer.headers.get('link')).toBeNull();
    expect(await answer.text()).toBe(right);
    expect(sandbox.callCount).toBe(calls + 1);
  });

  test('that claims an impossible size is not decompressed', async () => {
    const br = brotliCompressSync(Buffer.alloc(50 << 20));
    const times = { generation: 1, fetchedAt: 1, freshUntil: 1 };
    const record = forged('key', { etag: tagOf(''), first, identityBytes: 50 << 20, ...times }, br);
    expect(record.length).toBeLessThan(300);
    let unpacked = 0;
    const rebuild = (json: string): RenderedContent => {
      unpacked = json.length;
      throw new Error('no page');
    };
    const options = { maxIdentityBytes: 16 << 20, known: undefined, rebuild };
    expect(await readRecord(record, 'key', [], options)).toBe('damaged');
    expect(unpacked).toBe(0);
  });

  test('that is longer than any page is not transferred', async () => {
    const a = await add(env);
    await a.get(path());
    const key = await pageKey();
    await server.ask((client) => client.hset(key, 'r', randomBytes(5_000_000)));
    const b = await add(env);
    const read = async () => Number(/total_net_output_bytes:(\d+)/.exec(await server.ask((c) => c.info('stats')))?.[1]);
    const before = await read();
    expect(how(await b.get(path()))).toContain('fwd=uri-miss');
    expect((await read()) - before).toBeLessThan(1_000_000);
  });

  test.each([
    ['a time far ahead', { f: () => clock.now() + 2 * day, u: () => clock.now() + 3 * day }],
    ['a time without end', { f: () => 'inf', u: () => 'inf' }],
    ['a time that is no number', { f: () => 'nan', u: () => 'nan' }],
    ['a time before all times', { f: () => '-1e300', u: () => '1e300' }],
  ])('with %s is fetched again', async (_, times) => {
    const a = await add();
    await a.get(path());
    const key = await pageKey();
    await server.ask((client) => client.hset(key, 'f', times.f(), 'u', times.u()));
    const b = await add();
    const answer = await b.get(path());
    expect([answer.status, sandbox.callCount]).toEqual([200, 2]);
    expect(Number(answer.headers.get('age'))).toBeLessThan(60);
  });

  test('stays fresh no longer than its page, or than a refusal can', async () => {
    const a = await add();
    const [, fresh] = /ttl=(\d+)/.exec(how(await a.get(path()))) ?? [];
    await server.ask(async (client) => client.hset(await pageKey(), 'u', '1e300'));
    const b = await add();
    const [, ttl] = /ttl=(\d+)/.exec(how(await b.get(path()))) ?? [];
    expect(Number(ttl)).toBeGreaterThan(0);
    expect(Number(ttl)).toBeLessThanOrEqual(Number(fresh ?? 60));

    await server.ask(async (client) => {
      const key = await pageKey();
      await client.hset(key, 'x', 'campaign-not-found', 'u', '1e300');
      await client.hdel(key, 'r');
    });
    const c = await add();
    expect(await status(c.get(path()))).toBe(404);
    clock.forward(61);
    expect(await status(c.get(path()))).toBe(200);
  });

  test("that passes a campaign's id off as an activity's is trusted only until a purge", async () => {
    const it = await add({}, 'v3');
    const id = campaignIdOf(String(campaign));
    const date = new Date(clock.now() - 1_000).toISOString();
    const send = { activity_type: '', campaign_id: id, contact_id: '1', email_address: '', send_date: date };
    const rendered = renderPage('', firstPage(id), { rows: [send], cursor: undefined });
    const page = { ...rendered, cursor: undefined, newestMs: clock.now() };
    const walk = `sendgate:1:{${recordVersion}|v3|${id}|sends}`;
    const key = `${walk}:limit=500`;
    const [body, generation] = [await makeBody(page, tagOf(page.json)), clock.now() * 1_000];
    const times = { fetchedAt: clock.now(), freshUntil: clock.now() + 60_000 };
    const record = writeRecord({ body, first: `1 ${date}`, generation, ...times }, key, []);
    await server.ask(async (client) => {
      await client.hset(walk, { g: generation });
      await client.hset(key, { f: clock.now(), u: clock.now() + 60_000, g: generation, r: record });
    });
    const path = `/campaigns/${id}/sends`;
    expect((await it.page(path)).results).toHaveLength(1);
    const purge = await fetch(`${it.service.managementUrl}/purge?campaign=${id}`, { method: 'POST' });
    expect(purge.status).toBe(200);
    expect((await it.page(path)).results).toHaveLength(30);
  });

  test('with a lock that never expires delays no call', async () => {
    const env = { SENDGATE_CONSTANT_CONTACT_DEADLINE_MS: '3000', SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '1000' };
    const a = await add(env);
    await a.get(path());
    const key = await pageKey();
    await server.ask(async (client) => {
      await client.del(key);
      await client.set(`${key}:lock`, 'x 0', 'PX', 1e12);
    });
    const b = await add(env);
    expect(await status(b.get(path()))).toBe(200);
  });
});

describe('A sealed page that is written back without the key', () => {
  let env: Environment;
  beforeEach(() => {
    const file = join(folder, `keys-${randomBytes(4).toString('hex')}`);
    writeFileSync(file, `${randomBytes(32).toString('base64')}\n`);
    env = { SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file };
  });

  /** Fetches the page. Returns what writes it back: in the present generation, just fetched and fresh for a day. */
  async function taken(instance: Harness, target = path()): Promise<() => Promise<void>> {
    await instance.get(target);
    const [key, walk] = [await pageKey(), await walkKey()];
    const record = await server.ask((client) => client.hgetBuffer(key, 'r'));
    expect(record?.length).toBeGreaterThan(100);
    return () =>
      server.ask(async (client) => {
        const g = (await client.hget(walk, 'g')) ?? '0';
        await client.hset(key, { g, f: clock.now(), u: clock.now() + day, r: record ?? '' });
      });
  }
  const purge = (one: Harness) => fetch(`${one.service.managementUrl}/purge?campaign=${campaign}`, { method: 'POST' });

  test('does not come back after a purge, on any instance that runs', async () => {
    const [a, b] = [await add(env), await add(env)];
    const writeBack = await taken(a);
    await b.get(path());
    clock.forward(1);
    expect((await purge(b)).status).toBe(200);
    await walk(b); // The walk has a generation again.
    await purge(b);
    for (const [n, one] of [a, b].entries()) {
      await writeBack();
      const calls = sandbox.callCount;
      expect([how(await one.get(path())), sandbox.callCount]).toEqual([expect.stringContaining('fwd='), calls + 1]);
      if (n === 0) await purge(b);
    }
  });

  test('does not come back after a purge while Constant Contact fails', async () => {
    const a = await add(env);
    const writeBack = await taken(a);
    clock.forward(1);
    await purge(a);
    await writeBack();
    sandbox.fault({ kind: 'status', status: 503 });
    expect(await status(a.get(path()))).toBe(502);
  });

  test('is as old as it is, and fresh for no longer', async () => {
    const a = await add(env);
    const writeBack = await taken(a);
    clock.forward(40);
    await writeBack();
    const b = await add(env);
    const fresh = await b.get(path());
    expect(Number(fresh.headers.get('age'))).toBeGreaterThanOrEqual(40);
    expect(Number(/ttl=(\d+)/.exec(how(fresh))?.[1])).toBeLessThanOrEqual(20);
    clock.forward(40);
    await writeBack();
    const c = await add(env);
    const calls = sandbox.callCount;
    const stale = await c.get(path(), { 'cache-control': 'max-age=60' });
    expect([how(stale), sandbox.callCount]).toEqual([expect.stringContaining('fwd='), calls + 1]);
  });

  test('is no page any more when its time is over', async () => {
    const a = await add(env);
    const writeBack = await taken(a);
    clock.forward(9 * 86_400);
    await writeBack();
    sandbox.fault({ kind: 'status', status: 503 });
    const b = await add(env);
    expect(await status(b.get(path()))).toBe(502);
  });

  test('does not mix a walk of two generations', async () => {
    const a = await add(env);
    const { meta } = await a.page(path());
    const second = meta.pagination.next_link ?? '';
    await a.get(second);
    const [key = ''] = await server.ask((client) => client.keys(`*|${campaign}|*next=*`));
    const record = await server.ask((client) => client.hgetBuffer(key.replace(/:lock$/, ''), 'r'));
    sandbox.addSends(String(campaign), 3);
    clock.forward(61);
    const after: PageJson = (await (await a.get(path(), { 'cache-control': 'no-cache' })).json()) as PageJson;
    expect(after.meta.pagination.next_link).toBe(second);
    const g = (await server.ask(async (client) => client.hget(await walkKey(), 'g'))) ?? '';
    await server.ask((client) => client.hset(key, { g, f: clock.now(), u: clock.now() + day, r: record ?? '' }));
    const b = await add(env);
    expect(new Set(await walk(b)).size).toBe(33);
  });
});

describe('A generation far ahead of the clock', () => {
  const highest = 2 ** 53 - 1;
  const forge: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    'in a message': (key) => server.ask((client) => client.publish(channel, JSON.stringify(['walk', key, highest]))),
    'in the walk': (key) => server.ask((client) => client.hset(key, 'g', String(highest))),
    'a day ahead, in both': (key) => {
      const generation = String((clock.now() + day + 3_600_000) * 1000);
      return server.ask(async (client) => {
        await client.hset(key, 'g', generation);
        await client.publish(channel, JSON.stringify(['walk', key, generation]));
      });
    },
    'that is infinite': (key) => server.ask((client) => client.hset(key, 'g', 'inf')),
  };

  test.each(Object.entries(forge))('%s delays no walk', async (_, spoil) => {
    const [a, b] = [await add(), await add()];
    await walk(a);
    await walk(b);
    await spoil(await walkKey());
    for (let round = 1; round <= 2; round++) {
      sandbox.addSends(String(campaign), 3);
      clock.forward(61);
      await a.get(path(), { 'cache-control': 'no-cache' });
      await until(async () => (await walk(b)).length === 30 + 3 * round, 'the other has heard of it');
      expect(new Set(await walk(a)).size).toBe(30 + 3 * round);
    }
    const generation = Number(await server.ask(async (client) => client.hget(await walkKey(), 'g')));
    expect(generation).toBeLessThanOrEqual((clock.now() + day) * 1000);
  });

  test('less than a day ahead is superseded by the next generation', async () => {
    const [a, b] = [await add(), await add()];
    await walk(a);
    const ahead = (clock.now() + day / 2) * 1000;
    const key = await walkKey();
    await server.ask((client) => client.hset(key, 'g', String(ahead)));
    await walk(b);
    sandbox.addSends(String(campaign), 1);
    clock.forward(61);
    await a.get(path(), { 'cache-control': 'no-cache' });
    expect(new Set(await walk(a)).size).toBe(31);
    expect(Number(await server.ask((client) => client.hget(key, 'g')))).toBeGreaterThan(ahead);
  });
});

describe('Hostile messages', () => {
  const deepList = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
  test.each([
    '["walk",{"toString":0}]',
    '[{"toString":0}]',
    `["page",${deepList}]`,
    `["page","${'x'.repeat(1_000_000)}"]`,
    '["raise",null,null,null]',
    '["purge",[],{}]',
    'null',
    '"walk"',
  ])('end nothing: %#', async (text) => {
    const a = await add();
    await server.ask((client) => client.publish(channel, text));
    const published = server.ask((client) => client.publish(channel, '["page","x",""]'));
    expect(await published).toBeGreaterThan(0);
    expect(await status(a.get(path()))).toBe(200);
    expect(a.lines.filter((line) => line.includes('error'))).toEqual([]);
    await until(() => a.service.status().sharing.redis === 'up', 'Redis is in use');
  });

  test.each([
    { code: 'upstream-busy', retryAfterSeconds: 1e15 },
    { code: 'upstream-busy', retryAfterSeconds: -1 },
    { code: 'unauthorized' },
    { code: 'rate-limited', retryAfterSeconds: 3 },
    { code: 'upstream-failed', reason: 'x\r\ny' },
  ])('do not end a call in flight: %j', async (problem) => {
    const [a, b] = [await add(), await add()];
    sandbox.fault({ kind: 'latency', ms: 150 });
    const answers = [a.get(path()), b.get(path())];
    await until(async () => sandbox.callCount === 1, 'it is under way');
    const key = `sendgate:1:{${recordVersion}|v2|${campaign}|sends|}:limit=10`;
    for (let n = 0; n < 8; n++) {
      await server.ask((client) => client.publish(channel, JSON.stringify(['page', key, JSON.stringify(problem)])));
    }
    for (const answer of answers) expect(await status(answer)).toBe(200);
    expect(sandbox.callCount).toBe(1);
  });

  test('charge no call to an unknown team', async () => {
    const { redis, secondLevel } = joinRedis(server.url, clock, { teams: ['team', 'other'] });
    closing.push(() => redis.close());
    await until(() => redis.isUp, 'it is there');
    const demand = new Demand('team', 'bulk');
    const wanted = {
      notBefore: 0,
      mayBeStale: true,
      known: undefined,
      rebuild: () => {
        throw new Error('it is not read');
      },
    };
    const page = { kind: 'first', walk: 'walk', limit: 500 } as const;
    const reply = await secondLevel.look(page, wanted, demand, new AbortController().signal);
    const raise = (team: string, rank: number) =>
      server.ask((c) =>
        c.publish('t:1:events', JSON.stringify(['raise', `t:1:{${recordVersion}|v2|walk}:limit=500`, team, rank])),
      );
    // Redis forgets what it publishes, and a subscriber may be connecting again.
    const raised = (team: string, rank: number, urgency: string) =>
      until(async () => {
        await raise(team, rank);
        return demand.urgency === urgency;
      }, 'it is raised');
    try {
      await raised('made-up', 1, 'refresh');
      expect(demand.team).toBe('team');
      await raised('other', 0, 'interactive');
      expect(demand.team).toBe('other');
    } finally {
      if (reply.kind === 'lease') reply.lease.failed(undefined);
    }
  });
});

describe('Forged counts', () => {
  test('of a client last no longer than its window', async () => {
    const a = await add({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '50' });
    await a.get(path());
    const keys = () => server.ask((client) => client.keys('*:rate:*'));
    await until(async () => (await keys()).length === 1, 'it is counted');
    const [key = ''] = await keys();
    for (const [value, lifeMs] of [
      ['1000000', 1e12],
      ['9223372036854775807', 50_000],
      ['x', 50_000],
      ['-1000000', 1e12],
    ] as const) {
      await server.ask((client) => client.set(key, value, 'PX', lifeMs));
      await a.get(path());
      await until(
        async () => Math.abs(Number(await server.ask((client) => client.get(key)))) < 1_000,
        'it counts anew',
      );
      const answer = await a.get(path());
      const [, left, t] = /r=(\d+); t=(\d+)$/.exec(answer.headers.get('ratelimit') ?? '') ?? [];
      expect([value, answer.status, Number(left) <= 50, Number(t) <= 60]).toEqual([value, 200, true, true]);
    }
  });

  test.each([
    ['nothing', null],
    ['too little', [Buffer.from('x')]],
    ['texts', [Buffer.from('1'), Buffer.from('nan')]],
    ['lists', [[], []]],
    ['what no number can hold', [2 ** 60, 1]],
  ] as readonly (readonly [string, Reply])[])('that are %s are not counted', async (_, reply) => {
    const redis = { isUp: true, key: (name: string) => name, run: async () => reply } as unknown as Redis;
    expect(
      await redisCounter(
        redis,
        digestWith(() => 'key'),
      ).add('client', 1, 1_000),
    ).toBeUndefined();
  });

  test.each([
    [1e15, 60_000],
    [-5, 1],
  ])('whose window has %d ms left have %d', async (leftMs, expected) => {
    const redis = { isUp: true, key: (name: string) => name, run: async () => [7, leftMs] } as unknown as Redis;
    const counted = await redisCounter(
      redis,
      digestWith(() => 'key'),
    ).add('client', 1, 1_000);
    expect(counted).toEqual({ total: 7, leftMs: expected });
  });

  test('of instances leave each instance a hundredth of the quota', async () => {
    const a = await add();
    const forgedOnes = Array.from({ length: 10_000 }, (_, n) => [clock.now() + day, `forged-${n}`]).flat();
    await server.ask((client) => client.zadd('sendgate:1:instances', ...forgedOnes));
    await until(() => a.service.status().sharing.instances === 100, 'they are seen');
  });
});

describe('Forged tokens', () => {
  const sends = () => `/campaigns/${activityIdOf(String(campaign))}/sends`;
  const tokens = 'sendgate:1:{tokens}';

  test('issued far ahead are replaced, and a lock that never expires is ignored', async () => {
    await server.ask(async (client) => {
      await client.hset(tokens, 't', '9e15', 'r', randomBytes(100));
      await client.set(`${tokens}:lock`, 'x');
    });
    const a = await add(file(), 'v3');
    expect(await status(a.get(sends()))).toBe(200);
    await until(async () => (await server.ask((client) => client.hget(tokens, 't'))) !== '9e15', 'they are replaced');
    const b = await add(file(), 'v3');
    expect(await status(b.get(sends()))).toBe(200);
    expect(sandbox.tokenCallCount).toBe(1);
  });

  const file = () => ({ CONSTANT_CONTACT_TOKEN_FILE: join(folder, `tokens-${randomBytes(4).toString('hex')}`) });

  test('that are those from before, put back, are not spent by a new instance while another has later ones', async () => {
    const a = await add(file(), 'v3');
    expect(await status(a.get(sends()))).toBe(200);
    const record = () => server.ask((client) => client.hgetBuffer(tokens, 'r'));
    await until(async () => (await record()) !== null, 'they are shared');
    const before = (await record()) ?? '';
    clock.forward(86_401);
    expect(await status(a.get(`${sends()}?limit=11`))).toBe(200);
    await until(async () => !(await record())?.equals(Buffer.from(before)), 'the later ones are shared');
    await server.ask((client) => client.hset(tokens, 't', clock.now() + 3_000_000, 'r', before));
    const b = await add(file(), 'v3');
    expect(await status(b.get(`${sends()}?limit=12`))).toBe(200);
    expect(sandbox.tokenCallCount).toBe(2);
    for (const { lines } of [a, b]) expect(lines.some((line) => line.includes('token.refused'))).toBe(false);
  });

  describe('whose plain time is later than the sealed one', () => {
    const forge = () => server.ask((client) => client.hset(tokens, 't', clock.now() + 3_000_000));

    test('make no instance spend a spent refresh token', async () => {
      const [a, b] = [await add(file(), 'v3'), await add(file(), 'v3')];
      for (const one of [a, b]) expect(await status(one.get(sends()))).toBe(200);
      clock.forward(86_401);
      await forge();
      for (const [n, one] of [a, b].entries()) expect(await status(one.get(`${sends()}?limit=${n + 1}`))).toBe(200);
      expect(sandbox.tokenCallCount).toBe(2);
      for (const { lines } of [a, b]) expect(lines.some((line) => line.includes('token.refused'))).toBe(false);
    });

    test('are replaced by those that a person has authorized', async () => {
      const env = { CONSTANT_CONTACT_REFRESH_TOKEN: '' };
      const [ofA, ofB] = [file(), file()];
      const [a, b] = [await add({ ...env, ...ofA }, 'v3'), await add({ ...env, ...ofB }, 'v3')];
      const authorize = () => {
        const granted = sandbox.oauth?.authorize() ?? { accessToken: '', refreshToken: '' };
        const issuedAt = clock.now();
        const times = { issuedAt, expiresAt: issuedAt + 86_400_000 };
        writeTokens(ofA.CONSTANT_CONTACT_TOKEN_FILE, { ...granted, clientId: oauth.clientId, ...times });
        return granted.accessToken;
      };
      const held = () => readTokens(ofB.CONSTANT_CONTACT_TOKEN_FILE, oauth.clientId)?.accessToken;
      const first = authorize();
      await until(() => held() === first, 'they are shared');
      await forge();
      clock.forward(1);
      const second = authorize();
      await until(() => held() === second, 'the later ones are shared');
      for (const one of [a, b]) expect(await status(one.get(sends()))).toBe(200);
    });
  });
});

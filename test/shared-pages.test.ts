import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { allReports } from '../src/model/reports.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { firstPage } from './support/queries.ts';
import { RedisServer } from './support/redis.ts';

const campaign = '1100394165299';
const path = `/campaigns/${campaign}/sends`;

let redis: RedisServer;
let sandbox: Sandbox;
let clock: ForwardClock;
let instances: Harness[];

beforeEach(async () => {
  redis = await RedisServer.start();
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  sandbox.campaign({ id: campaign, size: 1_300, newestMs: Date.now() });
  instances = [];
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.close()));
  await sandbox.stop();
  await redis.stop();
});

/** One more Sendgate with the same Redis, which helps however busy the machine is. */
async function add(env: Environment = {}): Promise<Harness> {
  const patient = { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' };
  const instance = await startInstance(sandbox, clock, { ...patient, ...env });
  instances.push(instance);
  return instance;
}

const how = (answer: Response) => answer.headers.get('cache-status') ?? '';

/** The sends of a walk whose pages are asked of the instances in turn. */
async function walk(...all: readonly Harness[]): Promise<string[]> {
  const seen: string[] = [];
  let next: string | undefined = path;
  for (let i = 0; next; i++) {
    const page: Awaited<ReturnType<Harness['page']>> = await (all[i % all.length] as Harness).page(next);
    seen.push(...page.results.map(({ contact_id }) => contact_id));
    next = page.meta.pagination.next_link;
  }
  return seen;
}

/** `POST /purge` on an instance's management listener. */
const purge = (instance: Harness, what: string, headers: Record<string, string> = {}) =>
  fetch(`${instance.service.managementUrl}/purge?${what}`, { method: 'POST', headers });

describe('A purge', () => {
  const other = `${path.replace('99', '98')}`;
  beforeEach(() => {
    sandbox.campaign({ id: campaign.replace('99', '98'), size: 3, newestMs: Date.now() });
  });

  test('of a campaign reaches all instances, and no other campaign', async () => {
    const only = { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
    const [a, b] = [await add(only), await add(only)];
    for (const one of [a, b]) {
      await walk(one);
      await one.page(`${path}?created_since=2020-01-01`);
      await one.page(other);
    }
    const asked = sandbox.callCount;
    const answer = await purge(a, `campaign=${campaign}`);
    expect([answer.status, await answer.json()]).toEqual([200, { pages: 4, everywhere: true }]);
    await until(() => b.service.pages.count === 1, 'the other has forgotten too');
    const keys = await redis.ask((client) => client.keys(`*${campaign}*`));
    // What is left are the walks, whose generations are new.
    expect(keys.filter((key) => !key.endsWith('}'))).toEqual([]);
    await walk(b);
    expect(sandbox.callCount - asked).toBe(3);
    expect(how(await a.get(path))).toMatch(/hit; ttl=\d+; detail=shared/);
    expect(how(await b.get(other))).toMatch(/hit; ttl=\d+$/);
    expect(how(await b.get(`${path}?created_since=2020-01-01`))).toContain('fwd=uri-miss');
  });

  test('of a campaign takes what other versions of Sendgate have stored of it', async () => {
    const a = await add();
    const keyOf = (version: number, id: string) => `sendgate:1:{${version}|v2|${id}|sends|}:limit=500`;
    const left = [keyOf(4, campaign), keyOf(17, campaign), keyOf(4, '98')];
    await redis.ask((client) => Promise.all(left.map((key) => client.hset(key, 'r', 'x'))));
    const there = () => redis.ask(async (client) => (await client.keys('*limit*')).sort());
    expect(await (await purge(a, `campaign=${campaign}`)).json()).toEqual({ pages: 0, everywhere: true });
    expect(await there()).toEqual([keyOf(4, '98')]);
    await purge(a, 'everything');
    expect(await there()).toEqual([]);
  });

  test('takes all of its reports, its summary and its links on all instances', async () => {
    const only = { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
    const [a, b] = [await add(only), await add(only)];
    const details = ['', '/summary', '/links'].map((tail) => `/campaigns/${campaign}${tail}`);
    const reports = [...allReports.map(({ name }) => name), 'clicks?link_id=1', 'clicks.csv?link_id=2'];
    const targets = [...details, '/campaigns', ...reports.map((report) => `/campaigns/${campaign}/${report}`)];
    for (const one of [a, b]) for (const target of targets) expect((await one.get(target)).status).toBe(200);
    const asked = sandbox.callCount;
    expect(await (await purge(a, `campaign=${campaign}`)).json()).toMatchObject({ everywhere: true });
    await until(() => b.service.pages.count === 0, 'the other has forgotten too');
    const keys = await redis.ask((client) => client.keys(`*${campaign}*`));
    expect(keys.filter((key) => !key.endsWith('}'))).toEqual([]);
    for (const target of targets) await b.get(target);
    // The campaign, its summary and its links are made from one answer.
    expect(sandbox.callCount - asked).toBe(targets.length - 2);
    for (const target of targets) await a.get(target);
    expect(sandbox.callCount - asked).toBe(targets.length - 2);
  });

  test('of everything reaches all campaigns on all instances', async () => {
    const [a, b] = [await add(), await add()];
    for (const one of [a, b]) {
      await walk(one);
      await one.page(other);
    }
    expect((await purge(b, 'everything')).status).toBe(200);
    await until(() => a.service.pages.count === 0 && b.service.pages.count === 0, 'both have forgotten');
    expect(how(await a.get(other))).toContain('fwd=uri-miss');
    expect(how(await b.get(path))).toContain('fwd=uri-miss');
  });

  test('reaches an instance that missed the message', async () => {
    const [a, b] = [await add(), await add()];
    await walk(b);
    await walk(a);
    const before = await b.page(path);
    // The message is lost on its way.
    const lost = b.service.pages.count;
    await redis.ask(async (client) => {
      const subscribers = String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).matchAll(/^id=(\d+)/gm);
      const youngest = Math.max(...[...subscribers].map(([, id]) => Number(id)));
      await client.call('CLIENT', 'KILL', 'ID', youngest);
    });
    expect((await purge(a, `campaign=${campaign}`)).status).toBe(200);
    expect(b.service.pages.count).toBe(lost);
    sandbox.addSends(campaign, 1);
    await until(
      async () => (await b.page(path)).results[0]?.contact_id !== before.results[0]?.contact_id,
      'b asks anew',
    );
    expect(lost).toBeGreaterThan(0);
  });

  test('answers 503 while Redis is unavailable', async () => {
    const a = await add();
    await walk(a);
    await redis.kill();
    await until(() => a.lines.some((line) => line.includes('redis.unavailable')), 'Redis is missed');
    const answer = await purge(a, 'everything');
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ pages: 3, everywhere: false });
    expect(how(await a.get(path))).toContain('fwd=uri-miss');
  });

  test('is refused unless an operator names what to purge', async () => {
    const a = await add();
    for (const what of [
      '',
      'campaign=',
      'campaign=x',
      'all',
      'everything=false',
      'everything=1',
      `campaign=${campaign}&everything`,
    ]) {
      expect([what, (await purge(a, what)).status]).toEqual([what, 400]);
    }
    expect((await fetch(`${a.service.managementUrl}/purge?everything`)).status).toBe(405);
    expect((await purge(a, 'everything', { origin: 'https://evil.example' })).status).toBe(403);
    expect((await purge(a, 'everything', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });
});

describe('Instances with one Redis', () => {
  test('make one call for a page that a thousand callers miss at once on three of them', async () => {
    const all = [await add(), await add(), await add()];
    sandbox.fault({ kind: 'latency', ms: 1_500 });
    const answers = await Promise.all(Array.from({ length: 1_000 }, (_, i) => all[i % 3]?.get(`${path}?limit=30`)));
    const bodies = new Set(await Promise.all(answers.map((answer) => answer?.text())));
    expect(answers.every((answer) => answer?.status === 200)).toBe(true);
    expect(bodies.size).toBe(1);
    expect(sandbox.callCount).toBe(1);
    // On a slow machine the last of them come when the page is there.
    const told = answers.map((answer) => answer && how(answer));
    expect(told.filter((status) => status?.endsWith('fwd-status=200; stored'))).toHaveLength(1);
    expect(told.filter((status) => status?.includes('; collapsed')).length).toBeGreaterThan(100);
  });

  test('wait for a call of another instance until it ends', async () => {
    const [a, b] = [await add(), await add()];
    sandbox.fault({ kind: 'latency', ms: 3_000 });
    const answers = await Promise.all([a.get(path), b.get(path)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(sandbox.callCount).toBe(1);
  });

  test("serve each other's pages", async () => {
    const a = await add();
    const b = await add();
    const first = await a.get(path);
    const second = await b.get(path);
    expect(how(second)).toMatch(/^sendgate; hit; ttl=\d+; detail=shared$/);
    for (const name of ['etag', 'last-modified', 'link']) {
      expect(second.headers.get(name)).toBe(first.headers.get(name));
    }
    expect(await second.text()).toBe(await first.text());
    expect(how(await b.get(path))).toMatch(/^sendgate; hit; ttl=\d+$/);
    expect(sandbox.callCount).toBe(1);
  });

  test('walk through each other’s pages, with every send once', async () => {
    const a = await add();
    const b = await add();
    const sends = await walk(a, b);
    expect(sends).toHaveLength(1_300);
    expect(new Set(sends).size).toBe(1_300);
    const calls = sandbox.callCount;
    expect(await walk(b, a)).toEqual(sends);
    expect(sandbox.callCount).toBe(calls);
  });

  test('all invalidate later pages when one of them sees the first page change', async () => {
    const a = await add({ SENDGATE_CACHE_READ_AHEAD_PAGES: '0' });
    const b = await add({ SENDGATE_CACHE_READ_AHEAD_PAGES: '0' });
    await walk(a);
    await walk(b);
    sandbox.addSends(campaign, 7);
    clock.forward(61);
    await a.get(path);
    await until(async () => how(await a.get(path)).startsWith('sendgate; hit; ttl=5'), 'the head is refreshed');
    const mixed = await walk(b, a);
    expect(mixed).toHaveLength(1_307);
    expect(new Set(mixed).size).toBe(1_307);
    expect(await walk(a)).toEqual(mixed);
  });

  test('learn of a changed first page at once, even if theirs is still fresh', async () => {
    const a = await add();
    const b = await add();
    await a.get(path);
    await b.get(path);
    clock.forward(30);
    await b.get(path);
    sandbox.addSends(campaign, 1);
    clock.forward(31);
    const fresh = await a.page(`${path}?limit=100`);
    const head = await b.page(path);
    expect(head.results[0]).toEqual(fresh.results[0]);
  });

  test('learn of a first page that changed while Redis was down, once it is up', async () => {
    const env = { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
    const [a, b] = [await add(env), await add(env)];
    await walk(a);
    await walk(b);
    redis.signal('SIGSTOP');
    const told = (what: string, times: number) =>
      instances.every(({ lines }) => lines.filter((line) => line.includes(what)).length === times);
    await until(() => told('redis.unavailable', 1), 'it is away');
    sandbox.addSends(campaign, 7);
    await a.get(path, { 'Cache-Control': 'no-cache' });
    clock.forward(61);
    await a.get(path, { 'Cache-Control': 'no-cache' });
    redis.signal('SIGCONT');
    await until(() => told('redis.available', 2), 'it is back');
    await a.get(path);
    const mixed = await walk(b, a);
    expect(mixed).toHaveLength(1_307);
    expect(new Set(mixed).size).toBe(1_307);
  });

  test('learn of a first page that changed while they were disconnected', async () => {
    const env = { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
    const [a, b] = [await add(env), await add(env)];
    await walk(a);
    await walk(b);
    // Their subscriptions are cut off over and over: messages are missed.
    let isCutting = true;
    const cutting = (async () => {
      while (isCutting) await redis.ask((client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
    })();
    const told = ({ lines }: Harness, what: string) => lines.filter((line) => line.includes(what)).length;
    await until(() => told(b, 'redis.unavailable') > 0, 'it is away');
    sandbox.addSends(campaign, 7);
    clock.forward(61);
    await a.get(path, { 'Cache-Control': 'no-cache' });
    isCutting = false;
    await cutting;
    for (const one of [a, b]) {
      await until(() => told(one, 'redis.available') > told(one, 'redis.unavailable'), 'it is back');
    }
    await a.get(path);
    const mixed = await walk(b, a);
    expect(mixed).toHaveLength(1_307);
    expect(new Set(mixed).size).toBe(1_307);
  });

  test('share that a campaign is unknown', async () => {
    const a = await add();
    const b = await add();
    expect((await a.get('/campaigns/404/sends')).status).toBe(404);
    expect((await b.get('/campaigns/404/sends')).status).toBe(404);
    expect(sandbox.callCount).toBe(1);
  });

  test('share a failure instead of each retrying', async () => {
    const a = await add({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    const b = await add({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    sandbox.fault({ kind: 'latency', ms: 200 });
    sandbox.fault({ kind: 'malformed' });
    const answers = await Promise.all([a.get(path), b.get(path)]);
    expect(answers.map(({ status }) => status)).toEqual([502, 502]);
    expect(sandbox.callCount).toBe(1);
  });

  test('all remember a lasting failure for a minute', async () => {
    const [a, b] = [await add({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' }), await add()];
    sandbox.fault({ kind: 'status', status: 500, query: { next: 'odd' } });
    expect((await a.get(`${path}?next=odd`)).status).toBe(502);
    for (let n = 0; n < 3; n++) expect((await b.get(`${path}?next=odd`)).status).toBe(502);
    expect(sandbox.callCount).toBe(1);
    clock.forward(61);
    sandbox.heal();
    expect((await b.get(`${path}?next=odd`)).status).toBe(400);
    expect(sandbox.callCount).toBe(2);
  });

  test('serve a stale page of another instance, and refresh it in the background', async () => {
    const a = await add();
    await a.get(path);
    clock.forward(3_600);
    const b = await add();
    expect(how(await b.get(path))).toMatch(/ttl=-\d+; detail=stale-while-revalidate/);
    await until(async () => /hit; ttl=\d/.test(how(await b.get(path))), 'it is refreshed');
    expect(sandbox.callCount).toBe(2);
  });

  test('refresh at most once in minFreshSeconds for callers who want a fresher page, on any instance', async () => {
    // Old enough to be fresh for hours.
    sandbox.campaign({ id: campaign, size: 1_300, newestMs: Date.now() - 86_400_000 });
    const a = await add();
    const b = await add();
    await a.get(path);
    clock.forward(30);
    await b.get(path, { 'Cache-Control': 'no-cache' });
    expect(sandbox.callCount).toBe(1);
    clock.forward(31);
    await b.get(path, { 'Cache-Control': 'no-cache' });
    await a.get(path, { 'Cache-Control': 'no-cache' });
    expect(sandbox.callCount).toBe(2);
  });

  test('raise the urgency of a background call when a caller on another instance waits for it', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '1', SENDGATE_QUOTA_MAX_WAIT_MS: '60000' };
    const a = await add(env);
    const b = await add(env);
    await a.get(path);
    void a.service.pages.prefetch(firstPage(campaign, 400), { team: 'default' });
    await until(
      () => a.service.status().queues.some(({ urgency, waiting }) => urgency === 'refresh' && waiting === 1),
      'it waits',
    );
    const answer = b.get(`${path}?limit=400`);
    await until(
      () => a.service.status().queues.some(({ urgency, waiting }) => urgency === 'interactive' && waiting === 1),
      'it is raised',
    );
    expect((await answer).status).toBe(200);
    expect(sandbox.callCount).toBe(2);
  });

  test('query Redis once for a page that it has, and never for one in memory', async () => {
    const a = await add();
    const b = await add();
    await walk(a);
    const trips = async () => {
      const text = await (await fetch(`${b.service.managementUrl}/metrics`)).text();
      return [...text.matchAll(/sendgate_redis_commands_total\{script="(\w+)",outcome="ok"\} (\d+)/g)]
        .filter(([, script]) => script !== 'sendgateBeat' && script !== 'sendgateCount')
        .reduce((sum, [, , count]) => sum + Number(count), 0);
    };
    const before = await trips();
    expect(how(await b.get(path))).toContain('detail=shared');
    expect((await trips()) - before).toBe(1);
    for (let i = 0; i < 10; i++) await b.get(path);
    expect((await trips()) - before).toBe(1);
  });

  test('keep pages in Redis until they are too old to be served', async () => {
    const a = await add({ SENDGATE_CACHE_STALE_IF_ERROR_SECONDS: '100' });
    await a.get(path);
    const [key = ''] = await redis.ask((client) => client.keys('sendgate:1:*limit=500'));
    const ttl = await redis.ask((client) => client.ttl(key));
    expect(ttl).toBeGreaterThan(150);
    expect(ttl).toBeLessThanOrEqual(160);
  });
});

test('An export takes pages of another instance at any age after an unchanged first page', async () => {
  const [a, b] = [await add(), await add()];
  await walk(a);
  clock.forward(2 * 86_400);
  const asked = sandbox.callCount;
  const lines = (await (await b.get(`${path}.ndjson`)).text()).trimEnd().split('\n');
  expect(lines.length).toBe(1_300);
  expect(sandbox.callCount - asked).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(sandbox.callCount - asked).toBe(1);
});

describe('A call that its instance abandons', () => {
  test('passes to the next waiting instance when the callers of the first have disconnected', async () => {
    const env = { SENDGATE_QUOTA_PER_SECOND: '1' };
    const a = await add(env);
    const b = await add(env);
    await a.get(path);
    const hangUp = new AbortController();
    const first = fetch(`${a.url}${path}?limit=10`, { signal: hangUp.signal }).catch(() => undefined);
    await until(() => a.service.status().queues.some(({ waiting }) => waiting === 1), 'it waits');
    const second = b.get(`${path}?limit=10`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    hangUp.abort();
    await first;
    expect((await second).status).toBe(200);
    expect(sandbox.callCount).toBe(2);
  });
});

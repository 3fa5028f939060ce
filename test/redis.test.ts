/**
 * Sendgate answers without Redis, and uses it again when it is back.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { recordVersion } from '../src/cache/page-record.ts';
import { parseRedisUrl } from '../src/config/redis-url.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

let sandbox: Sandbox;
let clock: ForwardClock;
const ending: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  for (let id = 1; id <= 30; id++) sandbox.campaign({ id: String(id), size: 3, newestMs: Date.now() });
  ending.push(() => sandbox.stop());
});

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const redis = await RedisServer.start(args);
  ending.push(() => redis.stop());
  return redis;
}

/** What a busy machine keeps to; a request that waited for Redis takes as long. */
const timeoutMs = 500;

async function add(url: string, env: Environment = {}): Promise<Harness> {
  const instance = await startInstance(sandbox, clock, {
    REDIS_URL: url,
    SENDGATE_REDIS_TIMEOUT_MS: String(timeoutMs),
    ...env,
  });
  ending.push(() => instance.close());
  return instance;
}

/** The same, once it uses Redis: a busy machine may take longer than a start waits. */
async function addUp(url: string): Promise<Harness> {
  const instance = await add(url);
  await until(() => told(instance, up) > 0, 'Redis is used');
  return instance;
}

const told = ({ lines }: Harness, what: RegExp) => lines.filter((line) => what.test(line)).length;
const down = /redis.unavailable/;
const up = /redis.available/;

let next = 1_000;
/** The path of a campaign that was never asked for. */
function coldPath(): string {
  const id = String(next++);
  sandbox.campaign({ id, size: 3, newestMs: Date.now() });
  return `/campaigns/${id}/sends`;
}

/** Whether one answers from a page that the other has just fetched. */
async function share(a: Harness, b: Harness): Promise<boolean> {
  const path = coldPath();
  await a.get(path);
  return (await b.get(path)).headers.get('cache-status')?.includes('detail=shared') ?? false;
}

interface Trouble {
  readonly begin: (redis: RedisServer) => unknown;
  readonly end: (redis: RedisServer) => unknown;
}

const troubles: Readonly<Record<string, Trouble>> = {
  'killed with -9': { begin: (redis) => redis.kill(), end: (redis) => redis.restart() },
  'stopped with SIGSTOP': { begin: (redis) => redis.signal('SIGSTOP'), end: (redis) => redis.signal('SIGCONT') },
  full: {
    begin: (redis) => redis.ask((client) => client.config('SET', 'maxmemory', '1')),
    end: (redis) => redis.ask((client) => client.config('SET', 'maxmemory', '0')),
  },
  'made a read-only replica': {
    begin: (redis) => redis.ask((client) => client.replicaof('127.0.0.1', 1)),
    end: (redis) => redis.ask((client) => client.replicaof('NO', 'ONE')),
  },
};

describe.each(Object.entries(troubles))('Redis that is %s', (_, { begin, end }) => {
  test('fails no request, is reported once down and once up, and is used again soon', async () => {
    const redis = await startRedis();
    const [a, b] = [await addUp(redis.url), await addUp(redis.url)];
    expect(await share(a, b)).toBe(true);

    await begin(redis);
    const times: number[] = [];
    for (let n = 0; n < 60; n++) {
      const started = performance.now();
      const one = n % 2 ? a : b;
      expect((await one.get('/campaigns/1/sends')).status).toBe(200); // held
      times.push(performance.now() - started);
      expect((await one.get(coldPath())).status).toBe(200);
    }
    expect(times.sort((x, y) => x - y)[40]).toBeLessThan(timeoutMs / 2);
    expect([told(a, down), told(b, down)]).toEqual([1, 1]);
    expect(await share(a, b)).toBe(false);
    const metrics = await (await fetch(`${a.service.managementUrl}/metrics`)).text();
    expect(metrics).toContain('sendgate_redis_down 1');
    expect((await fetch(`${a.service.managementUrl}/readyz`)).status).toBe(200);

    await end(redis);
    const back = performance.now();
    await until(() => told(a, up) === 2 && told(b, up) === 2, 'it is back');
    expect(await share(a, b)).toBe(true);
    // Of an idle machine, bench/scale.ts wants five seconds.
    expect(performance.now() - back).toBeLessThan(15_000);
    expect([told(a, down), told(b, down)]).toEqual([1, 1]);
  });
});

test('a flushed Redis loses only its pages', async () => {
  const redis = await startRedis();
  const [a, b] = [await addUp(redis.url), await addUp(redis.url)];
  expect(await share(a, b)).toBe(true);
  await redis.ask((client) => client.flushall());
  expect((await a.get('/campaigns/1/sends')).status).toBe(200);
  expect(await share(a, b)).toBe(true);
  expect(told(a, down)).toBe(0);
});

test('a slow Redis is abandoned in time, and not queried while it is slow', async () => {
  const redis = await startRedis();
  const a = await add(redis.url, { SENDGATE_REDIS_TIMEOUT_MS: '20' });
  const late = async () => {
    const metrics = await (await fetch(`${a.service.managementUrl}/metrics`)).text();
    return [...metrics.matchAll(/script="(\w+)",outcome="late"\} (\d+)/g)]
      .filter(([, script]) => script !== 'sendgateBeat')
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  // 20 ms are little on a busy machine, and may have been too little already.
  const helps = () => told(a, up) > told(a, down);
  await until(helps, 'it is there');
  await a.get('/campaigns/1/sends');
  const before = await late();
  await redis.ask((client) => client.call('CLIENT', 'PAUSE', '1500', 'ALL'));
  await until(() => !helps(), 'it is noticed');
  for (let n = 2; n < 22; n++) expect((await a.get(`/campaigns/${n}/sends`)).status).toBe(200);
  // Those that were under way, and a few that a busy machine makes late before; not one for each request.
  expect((await late()) - before).toBeLessThan(10);
  await until(helps, 'it is back');
});

test('a Redis that is down at the start is used as soon as it is up', async () => {
  const redis = await startRedis();
  await redis.kill();
  const a = await add(redis.url);
  expect((await a.get('/campaigns/1/sends')).status).toBe(200);
  expect([told(a, down), told(a, up)]).toEqual([1, 0]);
  await redis.restart();
  await until(() => told(a, up) === 1, 'it is there');
  const b = await add(redis.url);
  expect(await share(a, b)).toBe(true);
});

test('a server that is not Redis fails no request', async () => {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n<html>\u0000'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending.push(async () => server.close());
  const a = await add(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (let n = 1; n < 9; n++) expect((await a.get(`/campaigns/${n}/sends`)).status).toBe(200);
  expect(told(a, down)).toBe(1);
});

describe('Foreign data in Redis', () => {
  const garbage: Readonly<Record<string, (redis: RedisServer, key: string) => Promise<unknown>>> = {
    'a record of another version': (redis, key) =>
      redis.ask(async (client) => {
        const record = (await client.hgetBuffer(key, 'r')) as Buffer;
        return client.hset(key, 'r', Buffer.concat([Buffer.of(0), record.subarray(1)]));
      }),
    'a record that was cut off': (redis, key) =>
      redis.ask(async (client) => {
        const record = (await client.hgetBuffer(key, 'r')) as Buffer;
        return client.hset(key, 'r', record.subarray(0, 40));
      }),
    'a record with another byte': (redis, key) =>
      redis.ask(async (client) => {
        const record = (await client.hgetBuffer(key, 'r')) as Buffer;
        record[record.length - 9] = (record[record.length - 9] ?? 0) ^ 1;
        return client.hset(key, 'r', record);
      }),
    'the record of another page': (redis, key) =>
      redis.ask(async (client) => {
        const other = (await client.keys('sendgate:1:*limit=7'))[0] ?? '';
        return client.hset(key, 'r', (await client.hgetBuffer(other, 'r')) as Buffer);
      }),
    'times that are none': (redis, key) => redis.ask((client) => client.hset(key, 'f', 'yesterday', 'u', '')),
    'a value of another type': (redis, key) =>
      redis.ask(async (client) => {
        await client.del(key);
        return client.lpush(key, 'x');
      }),
    'a lock that nobody holds': (redis, key) =>
      redis.ask(async (client) => {
        await client.del(key);
        return client.set(`${key}:lock`, 'x');
      }),
    'a lock of another type': (redis, key) =>
      redis.ask(async (client) => {
        await client.del(key);
        return client.lpush(`${key}:lock`, 'x');
      }),
  };

  test.each(Object.entries(garbage))('%s: the page is fetched again and then shared', async (_, spoil) => {
    const redis = await startRedis();
    const [a, b, c] = [await addUp(redis.url), await addUp(redis.url), await addUp(redis.url)];
    const right = await (await a.get('/campaigns/5/sends')).text();
    await a.get('/campaigns/6/sends?limit=7');
    let key = '';
    await until(async () => {
      [key = ''] = await redis.ask((client) => client.keys('sendgate:1:*|5|*limit=500'));
      return key !== '';
    }, 'the page is in Redis');
    await spoil(redis, key);
    const calls = sandbox.callCount;
    const again = await b.get('/campaigns/5/sends');
    expect([again.status, await again.text()]).toEqual([200, right]);
    expect(sandbox.callCount).toBe(calls + 1);
    const third = await c.get('/campaigns/5/sends');
    expect(third.headers.get('cache-status')).toContain('detail=shared');
    expect(told(b, down)).toBe(0);
  });

  test('an invalid generation of a walk is replaced', async () => {
    const redis = await startRedis();
    const [a, b] = [await addUp(redis.url), await addUp(redis.url)];
    await a.get('/campaigns/5/sends');
    await redis.ask((client) => client.set(`sendgate:1:{${recordVersion}|v2|5|}`, 'x'));
    expect((await b.get('/campaigns/5/sends')).headers.get('cache-status')).toContain('detail=shared');
    expect(told(b, down)).toBe(0);
  });

  test('invalid messages are ignored', async () => {
    const redis = await startRedis();
    const a = await add(redis.url);
    await redis.ask(async (client) => {
      for (const text of [
        '',
        'x',
        '[]',
        '{}',
        '["walk"]',
        '["walk","x","y"]',
        '["page",7]',
        '["raise"]',
        '["place"]',
      ]) {
        await client.publish('sendgate:1:events', text);
      }
    });
    expect((await a.get('/campaigns/1/sends')).status).toBe(200);
    expect(told(a, down)).toBe(0);
  });
});

describe('REDIS_URL', () => {
  test.each([
    ['redis://localhost', 'server', ['localhost:6379']],
    ['redis://:p%40ss@10.0.0.1:7000/3', 'server', ['10.0.0.1:7000']],
    ['rediss://user:pass@redis.example.com', 'server', ['redis.example.com:6379']],
    ['redis://[::1]:6380', 'server', ['::1:6380']],
    ['redis://a:1,b:2,c', 'cluster', ['a:1', 'b:2', 'c:6379']],
    ['redis+cluster://a:1', 'cluster', ['a:1']],
    ['redis+sentinel://a,b:2/mymaster', 'sentinel', ['a:26379', 'b:2']],
    ['rediss+sentinel://u:p@a/mymaster/1', 'sentinel', ['a:26379']],
  ])('%s is a %s', (url, kind, nodes) => {
    const address = parseRedisUrl(url);
    expect(address?.kind).toBe(kind);
    expect(address?.nodes.map(({ host, port }) => `${host}:${port}`)).toEqual(nodes);
    expect(address?.tls).toBe(url.startsWith('rediss'));
  });

  test.each([
    'http://localhost',
    'redis://',
    'redis://a b',
    'redis://a:99999',
    'redis://a:0',
    'redis://a/x',
    'redis://a/1/2',
    'redis://a,b/1',
    'redis+sentinel://a',
    'redis://a?x=1',
    'redis://:%zz@a',
  ])('%s is refused', (url) => expect(parseRedisUrl(url)).toBeUndefined());

  test('of a cluster', async () => {
    const redis = await startRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1']);
    await redis.ask(async (client) => {
      await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    });
    await until(
      () => redis.ask(async (client) => /cluster_state:ok/.test(String(await client.call('CLUSTER', 'INFO')))),
      'ok',
    );
    const url = redis.url.replace('redis:', 'redis+cluster:');
    const [a, b] = [await addUp(url), await addUp(url)];
    expect(await share(a, b)).toBe(true);
    await redis.kill();
    expect((await a.get('/campaigns/1/sends')).status).toBe(200);
    await redis.restart();
    await until(() => told(a, up) === 2 && told(b, up) === 2, 'it is back');
    expect(await share(a, b)).toBe(true);
  });

  test('of sentinels that fail over to a replica', async () => {
    const master = await startRedis();
    const replica = await startRedis([
      '--replicaof',
      '127.0.0.1',
      String(master.port),
      '--repl-diskless-sync-delay',
      '0',
    ]);
    const sentinel = await startRedis(['sentinel']);
    await sentinel.ask(async (client) => {
      await client.call('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', String(master.port), '1');
      await client.call('SENTINEL', 'SET', 'mymaster', 'down-after-milliseconds', '500', 'failover-timeout', '2000');
    });
    await until(
      () => replica.ask(async (client) => /master_link_status:up/.test(await client.info('replication'))),
      'linked',
    );
    const url = `redis+sentinel://127.0.0.1:${sentinel.port}/mymaster`;
    const [a, b] = [await addUp(url), await addUp(url)];
    expect(await share(a, b)).toBe(true);
    // The sentinel learns of replicas from the master, every ten seconds.
    await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const replicas = await sentinel.ask((client) => client.call('SENTINEL', 'REPLICAS', 'mymaster'));
      return (replicas as unknown[]).length === 1;
    }, 'the replica is known');
    await master.kill();
    expect((await a.get('/campaigns/1/sends')).status).toBe(200);
    await until(async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return told(a, up) === 2 && told(b, up) === 2;
    }, 'the replica has taken over');
    expect(await share(a, b)).toBe(true);
  });

  test('of sentinels that keep the second connection waiting', async () => {
    const master = await startRedis();
    const sentinel = await startRedis(['sentinel']);
    await sentinel.ask((client) =>
      client.call('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', String(master.port), '1'),
    );
    // The subscriber still connects when the first beats succeed and no message is heard.
    const port = await slowAfterTheFirst(sentinel.port, 700);
    const a = await add(`redis+sentinel://127.0.0.1:${port}/mymaster`);
    await until(() => told(a, up) === 1, 'it is there');
  });
});

/** Forwards connections to a port: the first at once, later ones after a delay. Returns its own port. */
async function slowAfterTheFirst(to: number, delayMs: number): Promise<number> {
  let isFirst = true;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const forward = () => {
      const upstream = connect(to, '127.0.0.1');
      for (const one of [socket, upstream]) one.on('error', () => {});
      socket.on('close', () => upstream.destroy());
      socket.pipe(upstream).pipe(socket);
    };
    if (isFirst) forward();
    else setTimeout(forward, delayMs);
    isFirst = false;
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending.push(async () => server.close());
  return (server.address() as AddressInfo).port;
}

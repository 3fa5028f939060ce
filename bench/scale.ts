/**
 * `npm run bench:scale`: several instances with one Redis. Fails if they break a promise of docs/operations.md. `--short`
 * takes half a minute, does not judge speed, and leaves RESULTS.md alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { RedisServer } from '../test/support/redis.ts';
import { rate } from './load.ts';
import { median, type Server, startServer } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';
import { agent, ask, paced, tally, told } from './traffic.ts';

const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice('--only='.length);
const env = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const node = process.execPath;
const teams = ['a', 'b', 'c', 'd', 'e'];
let nextPort = 9430;

const at = (port: number) => `http://127.0.0.1:${port}`;

interface Fleet {
  readonly urls: readonly string[];
  readonly management: readonly string[];
  readonly redis: RedisServer;
  order(orders?: object): Promise<{ callCount: number; limitAnswers: number }>;
  stop(): Promise<void>;
}

/** Several Sendgates with one Redis, in front of a sandbox. */
async function fleet(instances: number, settings: Record<string, string> = {}, limits = true): Promise<Fleet> {
  const redis = await RedisServer.start();
  const sandboxPort = nextPort++;
  const servers: Server[] = [
    await startServer('sandbox', `${at(sandboxPort)}/_sandbox`, [node, 'dist/sandbox/main.js'], {
      ...env,
      ...(limits ? { SANDBOX_LIMITS: '1' } : {}),
      PORT: String(sandboxPort),
    }),
  ];
  const urls: string[] = [];
  const management: string[] = [];
  for (let n = 0; n < instances; n++) {
    const [port, managementPort] = [nextPort++, nextPort++];
    urls.push(at(port));
    management.push(at(managementPort));
    servers.push(
      await startServer(`Sendgate ${n}`, `${at(managementPort)}/livez`, [node, 'dist/main.js'], {
        ...env,
        REDIS_URL: redis.url,
        PORT: String(port),
        SENDGATE_MANAGEMENT_PORT: String(managementPort),
        CONSTANT_CONTACT_BASE_URL: at(sandboxPort),
        SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
        SENDGATE_SERVER_TRUST_PROXY: 'loopback',
        SENDGATE_TEAMS: JSON.stringify(teams.map((name) => ({ name, header: { name: 'x-team', value: name } }))),
        SENDGATE_LOG_LEVEL: 'error',
        ...settings,
      }),
    );
  }
  return {
    urls,
    management,
    redis,
    order: async (orders = {}) => {
      const answer = await fetch(`${at(sandboxPort)}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });
      return (await answer.json()) as { callCount: number; limitAnswers: number };
    },
    stop: async () => {
      for (const server of servers.reverse()) await server.stop();
      await redis.stop();
    },
  };
}

const pick = <T>(all: readonly T[], n: number): T => all[n % all.length] as T;

/**
 * Three instances with more to fetch than they may. The teams are spread unevenly: one asks only the first instance, one
 * only the second, the others all of them, and the last one ten times as much as it can get.
 */
async function saturation(): Promise<string> {
  const seconds = short ? 5 : 60;
  const { urls, order, stop } = await fleet(3);
  for (let id = 1; id <= 30; id++) await order({ campaign: { id: String(id), size: 2_000, newestMs: Date.now() } });
  await order({ forget: true });
  const started = performance.now();
  const served = new Map<string, number>();
  const statuses = new Map<string, number>();
  const mix = ['a', 'b', 'c', 'd', 'e', 'e', 'e', 'e', 'e', 'e'];
  await paced(40, seconds, async (n) => {
    const team = pick(mix, n);
    const url = team === 'a' ? pick(urls, 0) : team === 'b' ? pick(urls, 1) : pick(urls, Math.floor(n / 10));
    const { status } = await ask(`${url}/campaigns/${1 + (n % 30)}/sends?limit=${1 + Math.floor(n / 30)}`, team);
    tally(statuses, String(status));
    if (status === 200) tally(served, team);
  });
  const { callCount, limitAnswers } = await order();
  const took = (performance.now() - started) / 1000;
  await stop();
  const used = (100 * callCount) / (4 * took);
  const shares = teams.map((team) => served.get(team) ?? 0);
  const fair = shares.reduce((sum, share) => sum + share, 0) / teams.length;
  const off = Math.max(...shares.map((share) => Math.abs(share - fair) / fair));
  promise(limitAnswers === 0, `saturation: ${limitAnswers} limit answers`);
  promiseOfSpeed(used >= 95, `saturation: ${used.toFixed(1)} % used`);
  promiseOfSpeed(off <= 0.1, `saturation: shares ${told(served)}`);
  return `- **Saturation.** Three instances, ${seconds} s of 40 distinct cold pages a second, the teams spread unevenly over them and one asking six times as much as each other: ${callCount} calls (${used.toFixed(1)} % of what 4/s allows), ${limitAnswers} limit answers from the sandbox. Pages by team ${told(served)}: within ${(100 * off).toFixed(1)} % of equal shares. Answers ${told(statuses)}.`;
}

interface Trouble {
  readonly name: string;
  begin(redis: RedisServer): Promise<void>;
  end(redis: RedisServer): Promise<void>;
}

const troubles: readonly Trouble[] = [
  {
    name: 'killed with -9, and started again empty',
    begin: (redis) => redis.kill(),
    end: (redis) => redis.restart(),
  },
  {
    name: 'stopped with SIGSTOP',
    begin: async (redis) => redis.signal('SIGSTOP'),
    end: async (redis) => redis.signal('SIGCONT'),
  },
  {
    name: 'flushed, every tenth of a second',
    begin: async (redis) => {
      for (let n = 0; n < 10; n++) {
        await redis.ask((client) => client.flushall());
        await delay(100);
      }
    },
    end: async () => {},
  },
  {
    name: 'full, with noeviction',
    begin: (redis) => redis.ask((client) => client.config('SET', 'maxmemory', '1')).then(() => {}),
    end: (redis) => redis.ask((client) => client.config('SET', 'maxmemory', '0')).then(() => {}),
  },
  {
    name: 'made a read-only replica',
    begin: (redis) => redis.ask((client) => client.replicaof('127.0.0.1', 1)).then(() => {}),
    end: (redis) => redis.ask((client) => client.replicaof('NO', 'ONE')).then(() => {}),
  },
  {
    name: 'holding records of another version',
    begin: (redis) =>
      redis.ask(async (client) => {
        for (const key of await client.keys('*limit=*')) {
          const record = await client.hgetBuffer(key, 'r');
          if (record) await client.hset(key, 'r', Buffer.concat([Buffer.of(0), record.subarray(1)]));
        }
      }),
    end: async () => {},
  },
];

/** Has every instance hold the twenty pages. */
async function holdAll(urls: readonly string[]): Promise<void> {
  for (const url of urls) for (let id = 1; id <= 20; id++) await ask(`${url}/campaigns/${id}/sends`);
}

/** Three hundred requests a second for twenty held pages, spread over the instances, while something happens. */
async function hitsOf(urls: readonly string[], seconds: number, meanwhile: Promise<void>) {
  const times: number[] = [];
  const statuses = new Map<string, number>();
  await Promise.all([
    meanwhile,
    paced(300, seconds, async (n) => {
      const { status, ms } = await ask(`${pick(urls, n)}/campaigns/${1 + (n % 20)}/sends`);
      tally(statuses, String(status));
      times.push(ms);
    }),
  ]);
  return { p99: percentile(times, 99), statuses };
}

/** What callers see of every trouble that Redis can have. */
async function redisInTrouble(): Promise<string> {
  const seconds = short ? 1 : 10;
  const rows: string[] = [];
  const { urls, management, redis, order, stop } = await fleet(2, { SENDGATE_QUOTA_PER_SECOND: '1000' }, false);
  for (let id = 1; id <= 20; id++) await order({ campaign: { id: String(id), size: 500, newestMs: Date.now() } });
  let cold = 100;
  const isSharing = async () => {
    const id = String(cold++);
    await order({ campaign: { id, size: 10, newestMs: Date.now() } });
    await ask(`${pick(urls, 0)}/campaigns/${id}/sends`);
    return (await ask(`${pick(urls, 1)}/campaigns/${id}/sends`)).cache.includes('detail=shared');
  };
  for (const { name, begin, end } of troubles) {
    await holdAll(urls);
    const before = await hitsOf(urls, seconds, Promise.resolve());
    const during = await hitsOf(
      urls,
      seconds,
      delay(200).then(() => begin(redis)),
    );
    const cold = await ask(`${pick(urls, 0)}/campaigns/${21}/sends`);
    await end(redis);
    const returned = performance.now();
    let isShared = await isSharing();
    for (; !isShared && performance.now() - returned < 20_000; isShared = await isSharing()) await delay(50);
    const back = (performance.now() - returned) / 1000;
    const added = during.p99 - before.p99;
    promise([...during.statuses.keys()].join() === '200', `Redis ${name}: ${told(during.statuses)}`);
    promiseOfSpeed(added < 60, `Redis ${name}: p99 ${added.toFixed(0)} ms more`);
    promise(isShared, `Redis ${name}: pages are not shared again`);
    promiseOfSpeed(back < 5, `Redis ${name}: ${back.toFixed(1)} s until pages are shared`);
    promise(cold.status < 500, `Redis ${name}: a cold page answered ${cold.status}`);
    rows.push(
      `| ${name} | ${told(during.statuses)} | ${before.p99.toFixed(1)} | ${during.p99.toFixed(1)} | ${back.toFixed(1)} |`,
    );
    console.log(rows.at(-1));
  }
  for (const url of management) promise((await fetch(`${url}/readyz`)).ok, 'not ready');
  await stop();
  return `Redis in trouble under 300 requests a second for held pages, spread over two instances, ${seconds} s each:

| Redis is | answers | p99 before, ms | p99 meanwhile, ms | sharing again after, s |
|---|---|---|---|---|
${rows.join('\n')}`;
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

/** The same pages from Redis and then from memory, one at a time. */
async function hits(): Promise<string> {
  const pages = short ? 100 : 2_000;
  const { urls, order, stop } = await fleet(
    2,
    { SENDGATE_QUOTA_PER_SECOND: '1000', SENDGATE_QUOTA_PER_DAY: '1000000' },
    false,
  );
  const shared: number[] = [];
  const memory: number[] = [];
  for (let id = 1; id <= pages; id++) {
    await order({ campaign: { id: String(id), size: 500, newestMs: Date.now() } });
    await ask(`${pick(urls, 0)}/campaigns/${id}/sends`);
  }
  for (let id = 1; id <= pages; id++) {
    const path = `/campaigns/${id}/sends`;
    const first = await ask(`${pick(urls, 1)}${path}`);
    const second = await ask(`${pick(urls, 1)}${path}`);
    promise(first.cache.includes('detail=shared'), `hits: ${first.cache}`);
    promise(/hit; ttl=\d+$/.test(second.cache), `hits: ${second.cache}`);
    if (id <= pages / 2) continue; // A process that has just started is slow at everything.
    shared.push(first.ms);
    memory.push(second.ms);
  }
  await stop();
  const added = median(shared) - median(memory);
  promiseOfSpeed(added < 1, `hits: ${added.toFixed(2)} ms more`);
  return `- **Hits in Redis.** ${(pages / 2).toLocaleString('en')} pages of 500 sends, one at a time, taken in br: median ${median(shared).toFixed(2)} ms from Redis (one round trip each, counted in test/shared-pages), ${median(memory).toFixed(2)} ms from memory: ${added.toFixed(2)} ms more.`;
}

/** The calls that two instances make for one set of pages, and the memory that a million sends take in Redis. */
async function sets(): Promise<string> {
  const seconds = short ? 1 : 5;
  const rounds = short ? 1 : 5;
  const pages = short ? 40 : 2_000;
  const settings = { SENDGATE_QUOTA_PER_SECOND: '1000', SENDGATE_QUOTA_PER_DAY: '1000000' };
  const { urls, redis, order, stop } = await fleet(2, settings, false);
  await order({ campaign: { id: '1', size: pages * 500, newestMs: Date.now() }, forget: true });
  const before = Number(/used_memory:(\d+)/.exec(await redis.ask((client) => client.info('memory')))?.[1]);
  const walk = async (url: string) => {
    for (let target = '/campaigns/1/sends'; target !== ''; ) target = (await ask(`${url}${target}`)).link;
  };
  await walk(pick(urls, 0));
  await walk(pick(urls, 1));
  const { callCount } = await order();
  const used = Number(/used_memory:(\d+)/.exec(await redis.ask((client) => client.info('memory')))?.[1]) - before;
  promise(callCount <= pages + 2, `sets: ${callCount} calls for ${pages} pages`);

  const path = '/campaigns/1/sends';
  const headers = { 'Accept-Encoding': 'gzip, deflate, br' };
  const one: number[] = [];
  const two: number[] = [];
  for (let round = 0; round < rounds; round++) {
    one.push(await rate(`${urls[0]}${path}`, headers, seconds));
    const both = await Promise.all(urls.map((url) => rate(`${url}${path}`, headers, seconds)));
    two.push(both.reduce((sum, each) => sum + each, 0));
  }
  await stop();
  const per = (values: readonly number[]) => `${Math.round(median(values)).toLocaleString('en')}`;
  return `- **One set of pages.** ${(pages * 500).toLocaleString('en')} sends in ${pages.toLocaleString('en')} pages, walked through one instance and then through the other: ${callCount.toLocaleString('en')} calls, where two instances by themselves make ${(2 * pages).toLocaleString('en')}. They take ${(used / 1024 / 1024).toFixed(1)} MiB of Redis, ${Math.round(used / pages / 500)} bytes a send.
- **Throughput.** Hits of a 500-send page on two cores that also run the load: one instance ${per(one)} a second, two ${per(two)} (medians of ${rounds}, interleaved).`;
}

const runs = { saturation, hits, sets, trouble: redisInTrouble };
const lines: string[] = [];
for (const [name, run] of Object.entries(runs)) {
  if (only !== undefined && only !== name) continue;
  lines.push(await run());
  console.log(lines.at(-1));
}
agent.destroy();
const [trouble, ...others] = lines.reverse();
const text = `<!-- scale -->
## Several instances with one Redis

Real processes and a real Redis on one machine, against a sandbox.

${others.reverse().join('\n')}

${trouble}

Reproduce with \`npm run bench:scale\`.
`;
if (!short && only === undefined) replaceSection('scale', text);
process.exit();

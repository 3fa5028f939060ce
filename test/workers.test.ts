/**
 * Several processes that answer (`SENDGATE_WORKERS`): to callers and to Constant Contact they are one.
 */
import { readFileSync } from 'node:fs';
import { type ClientRequest, get as httpGet, type IncomingHttpHeaders } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { allReports } from '../src/model/reports.ts';
import type { DayUsage } from '../src/observability/stored-usage.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { freePort } from './support/free-port.ts';
import {
  accessToken,
  apiKey,
  type Environment,
  type PageJson,
  type SendgateProcess,
  spawnMain,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const path = '/campaigns/1/sends';
let sandbox: Sandbox;
let sendgate: SendgateProcess;

async function up(env: Environment = {}, limits?: { perSecond: number; perDay: number }): Promise<void> {
  sandbox = await startSandbox(limits ? { limits } : {});
  sandbox.campaign({ id: '1', size: 900, newestMs: Date.now() - 86_400_000 });
  sendgate = await startProcess({ ...upstreamEnv(sandbox), SENDGATE_WORKERS: '2', ...env });
}
async function down(): Promise<void> {
  await sendgate.stop();
  await sandbox.stop();
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Over a new connection: they go to the workers in turn. */
function ask(target: string, headers: Record<string, string> = {}, url = sendgate.url): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpGet(`${url}${target}`, { agent: false, headers }, async (answer) => {
      let text = '';
      for await (const part of answer.setEncoding('utf8')) text += part;
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text });
    }).on('error', reject);
  });
}

const times = <T>(count: number, one: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, n) => one(n)));
const inTurn = async (count: number, target: string) => {
  const answers: Answer[] = [];
  for (let n = 0; n < count; n++) answers.push(await ask(target));
  return answers;
};
const how = ({ headers }: Answer) => String(headers['cache-status']);
const workerPids = () => {
  const { pid } = sendgate.child;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
};
/** Of Sendgate and its workers, since they began. */
const processorSeconds = () =>
  [sendgate.child.pid, ...workerPids()]
    .map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [])
    .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) / 100, 0);
const manage = (target: string, init: RequestInit = {}) => fetch(`${sendgate.managementUrl}${target}`, init);
const answered = async () => {
  const text = await (await manage('/metrics')).text();
  return [...text.matchAll(/^sendgate_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
};

describe('two workers', () => {
  beforeAll(async () => {
    await up();
    sandbox.campaign({ id: '3', size: 3, newestMs: Date.now() });
  });
  afterAll(down);

  test('a page that all workers miss is fetched once, and every worker holds a copy', async () => {
    const cold = await times(40, () => ask(path));
    expect(new Set(cold.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(sandbox.callCount).toBe(1);
    const warm = await inTurn(6, path);
    expect(warm.map(how)).toEqual(Array(6).fill(expect.stringMatching(/^sendgate; hit; ttl=\d+$/)));
    expect(sandbox.callCount).toBe(1);
  });

  test('a client has one partition key in RateLimit-Policy, whichever worker answers', async () => {
    const policies = (await inTurn(6, path)).map(({ headers }) => headers['ratelimit-policy']);
    expect(new Set(policies)).toEqual(new Set([expect.stringMatching(/pk=:[\w+/]{12}:$/)]));
  });

  test('errors are the same as with one process', async () => {
    sandbox.campaign({ id: '2', size: 3, newestMs: Date.now() });
    sandbox.fault({ kind: 'status', status: 403, campaign: '2' });
    const codes = async (target: string) =>
      (await inTurn(2, target)).map(({ status, text }) => `${status} ${JSON.parse(text).type}`);
    expect(await codes('/campaigns/9/sends')).toEqual(Array(2).fill('404 /problems/campaign-not-found'));
    expect(await codes(`${path}?next=nonsense`)).toEqual(Array(2).fill('400 /problems/invalid-cursor'));
    expect(await codes('/campaigns/2/sends')).toEqual(Array(2).fill('502 /problems/upstream-failed'));
    expect(await (await manage('/readyz')).json()).toMatchObject({ upstream: 'ok' });
  });

  test('every resource is answered from copies, and a purge reaches them', async () => {
    sandbox.forget();
    const tails = [...allReports.map(({ name }) => `/${name}`), '/clicks?link_id=1', '/summary', '/links', ''];
    const targets = ['/campaigns', ...tails.map((tail) => `/campaigns/3${tail}`)];
    const askAll = async () => {
      for (const target of targets) {
        const answers = await inTurn(4, target);
        expect([target, answers.map(({ status }) => status)]).toEqual([target, Array(4).fill(200)]);
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
        expect([target, how(answers[3] as Answer)]).toEqual([
          target,
          expect.stringMatching(/^sendgate; hit; ttl=\d+$/),
        ]);
      }
    };
    await askAll();
    // The campaign, its summary and its links are made from one answer.
    expect(sandbox.callCount).toBe(targets.length - 2);
    expect(await (await manage('/purge?campaign=3', { method: 'POST' })).json()).toMatchObject({ everywhere: true });
    await askAll();
    expect(sandbox.callCount).toBe(2 * (targets.length - 2));
  });

  test('a purge reaches every worker', async () => {
    const itsPath = path.replace('1', '3');
    await manage('/purge?campaign=3', { method: 'POST' });
    sandbox.forget();
    await inTurn(4, itsPath);
    expect(await (await manage('/purge?campaign=3', { method: 'POST' })).json()).toMatchObject({ everywhere: true });
    await inTurn(4, itsPath);
    expect(sandbox.callCount).toBe(2);
  });

  test('a purge leaves nothing of a page in any worker', async () => {
    for (const encoding of ['gzip', 'br']) await times(4, () => ask(path, { 'accept-encoding': encoding }));
    const bytes = async () =>
      Number(/^sendgate_cache_bytes (\d+)$/m.exec(await (await manage('/metrics')).text())?.[1]);
    await until(async () => (await bytes()) > 0, 'copies are counted');
    await manage('/purge?everything', { method: 'POST' });
    await until(async () => (await bytes()) === 0, 'they are gone');
  });
});

describe('workers of a Sendgate that is limited, loses some of them, or stops', () => {
  afterEach(down);

  test('share one quota', async () => {
    await up({ SENDGATE_QUOTA_PER_SECOND: '4' }, { perSecond: 4, perDay: 10_000 });
    for (let id = 10; id < 30; id++) sandbox.campaign({ id: String(id), size: 3, newestMs: Date.now() });
    const answers = await times(20, (n) => ask(`/campaigns/${10 + n}/sends`));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(sandbox.limitAnswers).toBe(0);
  });

  test('serve no later page from before a change of the first page', async () => {
    // Pages of yesterday are fresh for an hour: it is the news that takes them away.
    await up({ SENDGATE_CACHE_MIN_FRESH_SECONDS: '1' });
    const walk = async () => {
      const contacts: string[] = [];
      for (let target: string | undefined = `${path}?limit=100`; target !== undefined; ) {
        const page = JSON.parse((await ask(target)).text) as PageJson;
        contacts.push(...page.results.map(({ contact_id }) => contact_id));
        target = page.meta.pagination.next_link;
      }
      return contacts;
    };
    const before = await walk();
    for (let n = 0; n < 3; n++) expect(await walk()).toEqual(before);
    sandbox.addSends('1', 7);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await walk()).toEqual(before);
    await ask(`${path}?limit=100`, { 'cache-control': 'no-cache' });
    await until(async () => (await walk()).length === 907 && (await walk()).length === 907, 'all are seen');
    for (let n = 0; n < 4; n++) {
      const after = await walk();
      expect(new Set(after).size).toBe(907);
      expect(after.slice(7)).toEqual(before);
    }
  });

  test('give a client one limit across workers', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '40' });
    const taken: number[] = [];
    for (let round = 0; round < 8; round++) {
      taken.push((await inTurn(10, path)).filter(({ status }) => status === 200).length);
      // They tell each other ten times a second.
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const all = taken.reduce((sum, count) => sum + count, 0);
    expect(all).toBeGreaterThanOrEqual(40);
    expect(all).toBeLessThanOrEqual(60);
    expect(taken.slice(-2)).toEqual([0, 0]);
  });

  test('metrics and status cover all workers, even one that has died and was replaced', async () => {
    await up();
    await inTurn(10, path);
    await until(async () => (await answered()) === 10, 'all are counted');
    const [first = 0, second] = workerPids();
    process.kill(first, 'SIGKILL');
    await until(() => workerPids().length === 2 && !workerPids().includes(first), 'another one is there');
    expect(workerPids()).toContain(second);
    await until(() => (sendgate.output().match(/"event":"worker\.died"/g) ?? []).length === 1, 'it is told');
    await until(async () => (await ask(path).catch(() => undefined))?.status === 200, 'it answers');
    const answers = await inTurn(10, path);
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    await until(async () => (await answered()) >= 20, 'all are counted');
    const status = (await (await manage('/status')).json()) as { served: { default: { fresh: number } } };
    expect(status.served.default.fresh).toBeGreaterThanOrEqual(19);
    const { days } = (await (await manage('/usage')).json()) as { days: DayUsage[] };
    const [sends] = days[0]?.teams.find(({ team }) => team === 'default')?.reports ?? [];
    expect(sends).toMatchObject({ report: 'sends', calls: 1, refused: 0 });
    expect(sends?.hits).toBeGreaterThanOrEqual(19);
    expect(sandbox.callCount).toBe(1);
  }, 60_000);

  test('readiness fails while all workers are dead, until one is replaced', async () => {
    await up({ PORT: String(await freePort()) });
    const readiness = async () => {
      const answer = await manage('/readyz');
      return `${answer.status} ${((await answer.json()) as { status: string }).status}`;
    };
    expect(await readiness()).toBe('200 ready');
    for (const pid of workerPids()) process.kill(pid, 'SIGKILL');
    await until(async () => (await readiness()) === '503 starting', 'it is not ready');
    await until(async () => (await readiness()) === '200 ready', 'it is ready again');
    expect((await ask(path)).status).toBe(200);
    await until(
      async () => (await (await manage('/metrics')).text()).includes('sendgate_workers 2\n'),
      'both are back',
    );
    expect(await (await manage('/metrics')).text()).toContain('sendgate_worker_deaths_total 2\n');
  }, 60_000);

  test('a stop lets requests in flight finish, with complete log lines and no secret', async () => {
    await up();
    sandbox.campaign({ id: '2', size: 3, newestMs: Date.now() });
    sandbox.fault({ kind: 'latency', ms: 500, campaign: '2' });
    const pids = workerPids();
    const inFlight = times(4, () => ask('/campaigns/2/sends'));
    await until(() => sandbox.callCount > 0, 'it is asked');
    expect(await sendgate.stop()).toBe(0);
    expect((await inFlight).map(({ status }) => status)).toEqual(Array(4).fill(200));
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
    const lines = sendgate.output().trim().split('\n');
    expect(lines.filter((line) => JSON.parse(line).route === path.replace('1', ':id'))).toHaveLength(4);
    for (const secret of [apiKey, accessToken]) expect(sendgate.output()).not.toContain(secret);
  });

  test.each(['1', '2'])('surplus connections are closed at no cost (%s processes)', async (workers) => {
    await up({ SENDGATE_WORKERS: workers, SENDGATE_SERVER_MAX_CONNECTIONS: '4' });
    const { hostname, port } = new URL(sendgate.url);
    const sockets: Socket[] = [];
    const connectOne = () => {
      // Each from another address: one may hold a quarter.
      const options = { host: hostname, port: Number(port), localAddress: `127.0.0.${sockets.length + 1}` };
      const socket = connect(options, () => socket.write('HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n'));
      sockets.push(socket.on('error', () => {}).resume());
    };
    const open = () => sockets.filter(({ destroyed }) => !destroyed);
    await until(() => {
      const areAnswered = open().every(({ bytesRead }) => bytesRead > 0);
      // A busy worker may get fewer of the first ten than it has room for.
      if (areAnswered && (sockets.length < 10 || open().length < 4)) connectOne();
      return areAnswered && sockets.length >= 10 && open().length === 4;
    }, 'four are answered');
    await until(() => /"event":"connections.full","maxConnections":\d,/.test(sendgate.output()), 'it is told');
    const before = processorSeconds();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(processorSeconds() - before).toBeLessThan(0.5);

    for (const socket of sockets) socket.destroy();
    await until(async () => (await ask(path).catch(() => undefined))?.status === 200, 'there is room again');
  });

  test('exports of a team are counted across workers, and those of a dead worker end', async () => {
    await up({ SENDGATE_EXPORTS_PER_TEAM: '2', PORT: String(await freePort()) });
    sandbox.campaign({ id: '2', size: 300_000, newestMs: Date.now() - 86_400_000 });
    const running: ClientRequest[] = [];
    /** Reads the head, and no more: it goes on running. */
    const begin = (localAddress = '127.0.0.1') =>
      new Promise<number>((resolve) => {
        const request = httpGet(`${sendgate.url}/campaigns/2/sends.csv`, { agent: false, localAddress }, (answer) => {
          clearTimeout(patience);
          answer.on('error', () => {});
          if (answer.statusCode === 200) running.push(request);
          else request.destroy();
          resolve(answer.statusCode ?? 0);
        });
        request.on('error', () => resolve(0));
        // A connection that was handed to a worker in the moment of its death is answered by nobody.
        const patience = setTimeout(() => request.destroy(), 5_000);
      });
    // The last place of a team is kept for another client, whichever worker that comes to.
    expect([await begin(), await begin(), await begin()]).toEqual([200, 429, 429]);
    expect([await begin('127.0.0.2'), await begin('127.0.0.3'), await begin()]).toEqual([200, 429, 429]);
    running.shift()?.destroy();
    await until(async () => (await begin()) === 200, 'a place is free');
    for (const pid of workerPids()) process.kill(pid, 'SIGKILL');
    await until(async () => {
      const text = await (await manage('/metrics')).text();
      return /^sendgate_worker_deaths_total 2$/m.test(text) && /^sendgate_workers 2$/m.test(text);
    }, 'others have taken their place');
    await until(async () => (await begin()) === 200, 'all places are free');
    expect(await begin('127.0.0.2')).toBe(200);
    expect(await begin('127.0.0.3')).toBe(429);
    for (const request of running) request.destroy();
  }, 60_000);

  test('with other instances on one Redis, they count as one instance', async () => {
    const redis = await RedisServer.start();
    const env = {
      REDIS_URL: redis.url,
      SENDGATE_REDIS_TIMEOUT_MS: '2000',
      SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '100',
      PORT: String(await freePort()),
    };
    await up(env);
    const other = await startProcess({ ...upstreamEnv(sandbox), SENDGATE_WORKERS: '2', ...env, PORT: '0' });
    const urls = [sendgate.url, other.url];
    try {
      const pages = (await Promise.all(urls.map((url) => times(10, () => ask(path, {}, url))))).flat();
      expect(pages[0]?.status).toBe(200);
      expect(new Set(pages.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(sandbox.callCount).toBe(1);
      expect(await (await manage('/status')).json()).toMatchObject({ sharing: { redis: 'up', instances: 2 } });

      // A purge on one of them reaches the copies in the other's workers.
      expect((await manage('/purge?campaign=1', { method: 'POST' })).status).toBe(200);
      const isAgain = async () => (await ask(path, {}, other.url)).headers['cache-status']?.includes('fwd=uri-miss');
      await until(async () => (await isAgain()) === true, 'the other one asks again');
      expect((await inTurn(4, path)).map(how)).toEqual(Array(4).fill(expect.stringContaining('sendgate; hit')));
      expect(sandbox.callCount).toBe(2);

      // All of them count a client together, and tell each other ten times a second.
      const statuses: number[] = [];
      const isLimited = async () => {
        const answers = await Promise.all(urls.map((url) => ask(path, {}, url)));
        statuses.push(...answers.map(({ status }) => status));
        return answers.every(({ status }) => status === 429);
      };
      await until(isLimited, 'the limit is reached');
      expect(statuses.filter((status) => status === 200).length).toBeLessThan(150);
    } finally {
      await other.stop();
      await redis.stop();
    }
  }, 60_000);

  test('a port in use ends the primary and its workers', async () => {
    await up();
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const env = { ...upstreamEnv(sandbox), SENDGATE_WORKERS: '2', SENDGATE_MANAGEMENT_PORT: '0', PORT: String(port) };
    const { exited, output } = spawnMain(env);
    expect(await exited).toBe(69);
    const toPeople = output()
      .split('\n')
      .filter((line) => !line.startsWith('{') && line !== '');
    expect(toPeople).toEqual([expect.stringMatching(/^sendgate: server\.port \(PORT\): port \d+ of .* is in use/)]);
    taken.close();
  });
});

/**
 * Teams are added, changed and removed under load by editing the file: in one process, two workers, two instances.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { as, ask, configFile, edit, type Settings, team } from './support/edited.ts';
import { freePort } from './support/free-port.ts';
import { type SendgateProcess, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

let redis: RedisServer;
let sandbox: Sandbox;
beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  sandbox = await startSandbox();
  for (let id = 1; id <= 9; id++) sandbox.campaign({ id: String(id), size: 500, newestMs: Date.now() });
});
afterEach(() => sandbox.stop());

/** Connections that ask all the time, for cached pages and others. */
class Load {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 });
  readonly #sockets = new Set<unknown>();
  readonly #running: readonly Promise<void>[];
  #isOver = false;
  readonly failures: unknown[] = [];
  answers = 0;

  constructor(url: string, names: readonly string[]) {
    this.#running = names.map((name, n) => this.#run(url, name, n));
  }

  /** Resolves with the number of its connections. */
  async end(): Promise<number> {
    this.#isOver = true;
    await Promise.all(this.#running);
    this.#agent.destroy();
    return this.#sockets.size;
  }

  async #run(url: string, name: string, n: number): Promise<void> {
    for (let asked = 0; !this.#isOver; asked++) {
      // One in ten is a page that nobody has asked for.
      const target = asked % 10 === 0 ? `/campaigns/${n + 1}/sends?limit=${(asked / 10) % 499}` : '/campaigns/9/sends';
      try {
        const status = await this.#ask(new URL(target.replace(/limit=0$/, 'limit=500'), url), as(name));
        if (status !== 200) this.failures.push(status);
        this.answers++;
      } catch (error) {
        this.failures.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #ask(url: URL, headers: Record<string, string>): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      request(url, { headers, agent: this.#agent }, (res) => {
        res.resume().on('end', () => resolve(res.statusCode));
        res.on('error', reject);
      })
        .on('socket', (socket) => this.#sockets.add(socket))
        .on('error', reject)
        .end();
    });
  }
}

interface Day {
  readonly upstream: { readonly callsToday: number };
  readonly teams: readonly { readonly team: string; readonly calls: number }[];
}

test.each([
  ['one process', 1, {}],
  ['two workers', 1, { SENDGATE_WORKERS: '2' }],
  ['two instances', 2, 'redis'],
] as const)('%s', async (_, instances, env) => {
  const settings = (...teams: readonly unknown[]): Settings => ({ teams });
  const files = Array.from({ length: instances }, () => configFile(settings(team('web'))));
  const processes = await Promise.all(
    files.map((file) =>
      startProcess({
        ...upstreamEnv(sandbox, 'v2'),
        ...(env === 'redis' ? { REDIS_URL: redis.url, SENDGATE_REDIS_TIMEOUT_MS: '2000' } : env),
        SENDGATE_CONFIG: file,
      }),
    ),
  );
  const loads = processes.map(({ url }) => new Load(url, ['web', 'bi', 'web', 'bi']));
  const change = async (changed: Settings, policy: string) => {
    for (const file of files) edit(file, changed);
    await until(async () => (await policiesOf('bi', processes)).every((seen) => seen.includes(policy)), policy);
  };
  await until(() => loads.every(({ answers }) => answers > 50), 'the load runs');
  await change(settings(team('web'), team('bi')), '"bi"; q=1000000;');
  await change(settings(team('web'), team('bi', { weight: 3, requestsPerMinute: 900_000 })), '"bi"; q=900000;');
  await until(async () => (await callsOf('bi', processes)) > 0, 'the team has calls');
  const callsBefore = await callsOf('bi', processes);
  await change(settings(team('web')), '"default"; q=1000000;');

  const connections = await Promise.all(loads.map((load) => load.end()));
  expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
  expect(connections).toEqual(processes.map(() => 4));
  await until(async () => {
    const days = await daysOf(processes);
    return Math.max(...days.map(({ upstream }) => upstream.callsToday)) === sandbox.callCount;
  }, 'all calls are counted');
  expect(await callsOf('bi', processes)).toBeGreaterThanOrEqual(callsBefore);
  expect(await Promise.all(processes.map((one) => one.stop()))).toEqual(processes.map(() => 0));
});

test('a worker that replaces a dead one has the configuration in use, whatever the file says by then', async () => {
  const file = configFile({ teams: [team('web')] });
  const sendgate = await startProcess({
    ...upstreamEnv(sandbox, 'v2'),
    SENDGATE_CONFIG: file,
    SENDGATE_WORKERS: '2',
    PORT: String(await freePort()),
  });
  const workers = () =>
    readFileSync(`/proc/${sendgate.child.pid}/task/${sendgate.child.pid}/children`, 'utf8').match(/\d+/g);
  const first = workers() ?? [];
  expect(first).toHaveLength(2);
  edit(file, { teams: [team('bi')] });
  sendgate.child.kill('SIGHUP');
  await until(() => sendgate.output().includes('"event":"config.reloaded"'), 'it is reloaded');
  writeFileSync(file, '{ "teams": [');
  sendgate.child.kill('SIGHUP');
  await until(() => sendgate.output().includes('"event":"config.invalid"'), 'the mistake is told');
  for (const pid of first) process.kill(Number(pid), 'SIGKILL');
  await until(async () => {
    const metrics = await (await fetch(`${sendgate.managementUrl}/metrics`)).text();
    return metrics.includes('sendgate_worker_deaths_total 2\n') && metrics.includes('sendgate_workers 2\n');
  }, 'both are replaced');
  for (const policy of await policiesOf('bi', [sendgate])) expect(policy).toContain('"bi"');
  for (const policy of await policiesOf('web', [sendgate])) expect(policy).toContain('"default"');
  await sendgate.stop();
});

/** The policies that a team's new connections are told. */
async function policiesOf(name: string, processes: readonly SendgateProcess[]): Promise<readonly string[]> {
  const bases = processes.flatMap(({ url }) => [url, url, url, url]);
  const answers = await Promise.all(bases.map((base) => ask(base, '/campaigns/9/sends', as(name))));
  return answers.map(({ headers }) => headers['ratelimit-policy'] ?? '');
}

/** Each instance's view of the day. An instance learns the others' calls with its own next one. */
const daysOf = (processes: readonly SendgateProcess[]) =>
  Promise.all(
    processes.map(async ({ managementUrl }) => (await (await fetch(`${managementUrl}/status`)).json()) as Day),
  );

async function callsOf(name: string, processes: readonly SendgateProcess[]): Promise<number> {
  const days = await daysOf(processes);
  return Math.max(...days.map(({ teams }) => teams.find(({ team }) => team === name)?.calls ?? 0));
}

/**
 * Redis with access control: what Sendgate needs, and what it reports where that is denied.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { deniedBy, failureOf, Late } from '../src/redis/failures.ts';
import { permitted, plainCommands, scriptCommands } from '../src/redis/permissions.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

let sandbox: Sandbox;
let clock: ForwardClock;
let redis: RedisServer;
const ending: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  ending.push(() => sandbox.stop());
  for (let id = 1; id <= 30; id++) sandbox.campaign({ id: String(id), size: 30, newestMs: Date.now() });
  redis = await RedisServer.start();
  ending.push(() => redis.stop());
});

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

const root = new URL('../', import.meta.url);
const operations = readFileSync(new URL('docs/operations.md', root), 'utf8');
const [, line = ''] = /^ACL SETUSER sendgate (on .*)$/m.exec(operations) ?? [];

/** Gives Sendgate's user what `docs/operations.md` says, and changes that. */
const permit = (...changes: string[]) =>
  redis.ask((client) => client.call('ACL', 'SETUSER', 'sendgate', 'reset', ...line.split(' '), ...changes));

async function add(env: Environment = {}, user = 'sendgate:password@'): Promise<Harness> {
  const url = `redis://${user}127.0.0.1:${redis.port}`;
  const instance = await startInstance(sandbox, clock, { REDIS_URL: url, ...env });
  ending.push(() => instance.close());
  return instance;
}

interface Line {
  readonly msg: string;
  readonly reason?: string;
  readonly denied?: string;
}

const told = ({ lines }: Harness, what: RegExp) =>
  lines.filter((text) => what.test(text)).map((text) => JSON.parse(text) as Line);
const down = /redis.unavailable/;
const up = /redis.available/;
const answers = async (it: Harness) => expect((await it.get('/campaigns/1/sends')).status).toBe(200);

test("the ACL in docs/operations.md permits all that Sendgate uses, and no more than the scripts' list", async () => {
  expect(line).not.toBe('');
  await permit();
  const env = { SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000', SENDGATE_REDIS_TIMEOUT_MS: '2000' };
  const [a, b] = [await add(env), await add(env)];
  await until(() => told(a, up).length === 1 && told(b, up).length === 1, 'they share');
  for (const path of [
    '/campaigns/1/sends?limit=7',
    '/campaigns/2/sends',
    '/campaigns/404/sends',
    '/campaigns/1/sends?next=x',
  ]) {
    for (const one of [a, b]) await one.get(path);
  }
  expect(await (await a.get('/campaigns/3/sends.csv')).text()).toContain('@');
  expect((await b.get('/campaigns/2/sends', { 'cache-control': 'no-cache' })).status).toBe(200);
  clock.forward(61);
  expect((await b.get('/campaigns/1/sends?limit=7')).status).toBe(200);
  const purged = await fetch(`${a.service.managementUrl}/purge?everything`, { method: 'POST' });
  expect(await purged.json()).toMatchObject({ everywhere: true });
  await until(async () => (await metricsOf(a)).includes('script="sendgateBeat",outcome="ok"'), 'it is counted');
  for (const one of [a, b]) expect(await metricsOf(one)).not.toMatch(/outcome="(no-permission|error)"/);
  expect(await redis.ask((client) => client.call('ACL', 'LOG'))).toEqual([]);
  expect([told(a, down), told(b, down)]).toEqual([[], []]);
  const given = line.split(' ').filter((word) => word.startsWith('+'));
  const needed = new Set([...Object.keys(scriptCommands), ...plainCommands].map((name) => `+${name.toLowerCase()}`));
  expect(new Set(given)).toEqual(needed);
});

const metricsOf = async ({ service }: Harness) => (await fetch(`${service.managementUrl}/metrics`)).text();

test('every command that a script uses is in the list of tested commands', () => {
  const folder = fileURLToPath(new URL('src', root));
  const used = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.lua'))
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/redis\.p?call\('(\w+)'/g)])
    .map(([, command]) => command);
  expect([...new Set([...used, 'SCAN'])].sort()).toEqual(Object.keys(scriptCommands).sort());
});

test('each denied command of scripts is reported by name', async () => {
  await permit();
  const client = new Client({ port: redis.port, username: 'sendgate', password: 'password', enableReadyCheck: false });
  ending.push(async () => client.disconnect());
  const values = ['sendgate:1:permitted', 'sendgate:1:events', JSON.stringify(scriptCommands)];
  const ask = async () => (await client.eval(permitted.lua, 1, ...values)) as string[];
  for (const name of Object.keys(scriptCommands)) {
    await permit(`-${name.toLowerCase()}`);
    expect((await ask())[0]).toBe(name);
  }
  await permit();
  expect(await ask()).toEqual([]);
  expect(await redis.ask((admin) => admin.keys('sendgate:1:permitted'))).toEqual([]);
});

const denials: readonly (readonly [string, readonly string[], string])[] = [
  ['HSET, as pages need', ['-hset'], 'the command hset'],
  ['ZADD, as each beat does', ['-zadd'], 'the command zadd'],
  ['EVALSHA', ['-evalsha'], 'the command evalsha'],
  ['EVAL', ['-eval'], 'the command eval'],
  ['SUBSCRIBE', ['-subscribe'], 'the command subscribe'],
  ['SCAN, as a purge does', ['-scan'], 'the command scan'],
  ['its keys', ['resetkeys', '~other:*'], 'a key'],
  ['its channel', ['resetchannels', '&other:*'], 'a channel'],
];

test.each(denials)(
  'a user denied %s is reported once with what is denied, and works once it is permitted',
  async (_, changes, denied) => {
    await permit(...changes);
    const it = await add();
    await until(() => told(it, down).some(({ reason }) => reason === 'no-permission'), 'it is told');
    // The first beat can arrive before the check of what is permitted.
    const known = told(it, up).length;
    await answers(it);
    await until(
      async () =>
        /outcome="no-permission"\} \d|sendgatePermitted",outcome="ok"\} (?:[3-9]|\d\d)|sendgateBeat",outcome="ok"\} \d\d/.test(
          await metricsOf(it),
        ),
      'it was tried again',
    );
    const lines = told(it, down).filter(({ reason }) => reason === 'no-permission');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ denied, msg: expect.stringContaining(`denies ${denied};`) });
    expect(JSON.stringify(lines)).not.toMatch(/password|sendgate:|user/);
    expect(told(it, up)).toHaveLength(known);
    await permit();
    await until(() => told(it, up).length === known + 1, 'it is shared through again');
  },
);

test.each([
  ['a command in the middle of a script', ['-hset'], 'the command hset'],
  ['the scripts themselves', ['-evalsha'], 'the command evalsha'],
  ['the keys', ['resetkeys'], 'a key'],
  ['the channel', ['resetchannels'], 'a channel'],
])('%s, denied at run time, is reported, and used again once permitted', async (_, changes, denied) => {
  await permit();
  const it = await add();
  await until(() => told(it, up).length === 1, 'it is there');
  await permit(...changes);
  await until(async () => {
    await it.get(`/campaigns/${1 + Math.floor(Math.random() * 30)}/sends?limit=${1 + Math.floor(Math.random() * 400)}`);
    return told(it, down).some((line) => line.denied === denied);
  }, 'it is told');
  await answers(it);
  expect(told(it, down).filter(({ reason }) => reason === 'no-permission')).toHaveLength(1);
  await permit();
  await until(() => told(it, up).length === 2, 'it is back');
});

test('SCAN, denied at run time, is reported when a purge needs it', async () => {
  await permit();
  const it = await add();
  await until(() => told(it, up).length === 1, 'it is there');
  await permit('-scan');
  const purge = () => fetch(`${it.service.managementUrl}/purge?campaign=1`, { method: 'POST' });
  expect((await purge()).status).toBe(503);
  await until(() => told(it, down).some((line) => line.denied === 'the command scan'), 'it is told');
  await permit();
  await until(() => told(it, up).length === 2, 'it is back');
  expect((await purge()).status).toBe(200);
});

test.each([
  ['a wrong password', 'sendgate:other@'],
  ['an unknown user', 'nobody:password@'],
  ['no password', ''],
])('%s is reported as refused', async (_, user) => {
  await permit();
  await redis.ask((client) => client.call('CONFIG', 'SET', 'requirepass', 'another'));
  const it = await add({}, user);
  await until(() => told(it, down).some(({ reason }) => reason === 'refused'), 'it is told');
  await answers(it);
});

test('a cluster whose slots are not served is reported as not ready', async () => {
  await redis.stop();
  redis = await RedisServer.start(['--cluster-enabled', 'yes']);
  ending.push(() => redis.stop());
  await redis.ask((client) => client.call('CLUSTER', 'MEET', '127.0.0.1', String(redis.port)));
  const it = await add({}, '');
  await until(() => told(it, down).some(({ reason }) => reason === 'not-ready'), 'it is told');
});

describe('an error of Redis', () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });
  test.each([
    ["NOPERM this user has no permissions to run the 'eval' command", 'no-permission', 'the command eval'],
    [
      "NOPERM User ann key has no permissions to run the 'config|get' command",
      'no-permission',
      'the command config|get',
    ],
    [
      "ERR ACL failure in script: User ann has no permissions to run the 'zadd' command script: 1f, on @user_script:4.",
      'no-permission',
      'the command zadd',
    ],
    [
      "ERR The user executing the script can't run this command or subcommand script: 1f, on @user_script:1.",
      'no-permission',
      'a command',
    ],
    [
      "ERR The user executing the script can't access at least one of the keys mentioned in the command script: 1f",
      'no-permission',
      'a key',
    ],
    [
      "ERR The user executing the script can't publish to the channel mentioned in the command script: 1f",
      'no-permission',
      'a channel',
    ],
    ['NOPERM No permissions to access a key', 'no-permission', 'a key'],
    [
      'NOPERM this user has no permissions to access one of the channels used as arguments',
      'no-permission',
      'a channel',
    ],
    ["NOPERM to run the '<script>' command", 'no-permission', 'a command'],
    ['WRONGPASS invalid username-password pair or user is disabled.', 'refused', undefined],
    ['NOAUTH Authentication required.', 'refused', undefined],
    ['ERR AUTH <password> called without any password configured for the default user.', 'refused', undefined],
    ["READONLY You can't write against a read only replica.", 'read-only', undefined],
    ["OOM command not allowed when used memory > 'maxmemory'.", 'full', undefined],
    ['MISCONF Redis is configured to save RDB snapshots, but cannot.', 'cannot-save', undefined],
    ['LOADING Redis is loading the dataset in memory', 'not-ready', undefined],
    ['CLUSTERDOWN Hash slot not served', 'not-ready', undefined],
    ['NOREPLICAS Not enough good replicas to write.', 'not-ready', undefined],
    ['MOVED 3999 127.0.0.1:6381', 'is-cluster', undefined],
    ['ERR This instance has cluster support disabled', 'no-cluster', undefined],
    ['ERR DB index is out of range', 'no-database', undefined],
    ['EXECABORT Transaction discarded because of previous errors.', 'error', undefined],
    ['ERR anything with a secret', 'error', undefined],
  ])('%s', (message, reason, denied) => {
    expect(failureOf(reply(message))).toEqual({ reason, denied });
    const ofCluster = Object.assign(new Error('Failed to refresh slots cache.'), { lastNodeError: reply(message) });
    expect(failureOf(ofCluster).reason).toBe(reason);
  });

  test('names commands only', () => {
    expect(deniedBy("NOPERM has no permissions to run the 'x; drop' command")).toBe('a command');
    expect(failureOf(new Late())).toEqual({ reason: 'late' });
    expect(failureOf(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }))).toEqual({
      reason: 'ECONNREFUSED',
    });
    expect(failureOf('odd')).toEqual({ reason: 'connection' });
  });
});

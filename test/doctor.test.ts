/**
 * `--check-config --connect`: finds what is wrong around Sendgate, says what to do, and leaks nothing.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Clock, systemClock } from '../src/clock.ts';
import { loadConfig } from '../src/config/load.ts';
import { checkAtStart } from '../src/doctor/at-start.ts';
import { type CheckResult, reportLine } from '../src/doctor/check-result.ts';
import { judgeClock } from '../src/doctor/clock-difference.ts';
import { examine } from '../src/doctor/doctor.ts';
import { judgeTrial } from '../src/doctor/files.ts';
import { lacksScope } from '../src/doctor/token-scope.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { checkWritable } from '../src/storage/trial.ts';
import { ForwardClock } from './support/clock.ts';
import { freePort } from './support/free-port.ts';
import {
  accessToken,
  apiKey,
  type Environment,
  type Harness,
  oauth,
  spawnMain,
  start,
  startInstance,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-doctor-'));
/** A file where a folder should be: what is below it cannot be written, not even by root. */
const notFolder = join(folder, 'file');
const redisPassword = 'redis-5ecret.Qp8';
const secrets = [apiKey, accessToken, ...Object.values(oauth), redisPassword];
/** Any free ones. */
const ports = { PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' };
/** Has a label of more than 63 characters (RFC 1035 §2.3.4), for which no resolver is asked: one may be slow. */
const unknownHost = `api.${'x'.repeat(64)}.invalid`;
/** All that was printed and returned. */
let said = '';

let sandbox: Sandbox;
const ending: (() => unknown)[] = [];

beforeAll(() => writeFileSync(notFolder, ''));
beforeEach(async () => {
  sandbox = await startSandbox();
  ending.push(() => sandbox.stop());
});
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret)]) expect(said).not.toContain(form);
  }
});

const readFile = (path: string) => readFileSync(path, 'utf8');

async function consult(env: Environment, clock: Clock = systemClock) {
  const loaded = loadConfig({ ...ports, SENDGATE_REDIS_TIMEOUT_MS: '5000', ...env }, readFile);
  const report = await examine(loaded, { clock, userAgent: 'sendgate/test' });
  said += JSON.stringify(report.results);
  const troubles = report.results.filter(({ state }) => state === 'failed' || state === 'warning');
  return {
    ...report,
    troubles: troubles.map(reportLine),
    of: (kind: CheckResult['kind']) => report.results.filter((result) => result.kind === kind),
  };
}

/** Returns host and port of a server that does this with every connection. */
async function serviceThat(answers: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => answers(socket.on('error', () => {}))).listen(0, '127.0.0.1');
  ending.push(() => server.close());
  await until(() => server.listening, 'it listens');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const v2 = (env: Environment = {}) => ({ ...upstreamEnv(sandbox, 'v2'), ...env });

/** What a v3 needs once a Sendgate has stored tokens, and that Sendgate. */
async function authorized(clock = new ForwardClock()): Promise<{ env: Environment; live: Harness; file: string }> {
  const env = upstreamEnv(sandbox, 'v3');
  const live = await startInstance(sandbox, clock, env, 'v3');
  ending.push(() => live.close());
  const file = env['CONSTANT_CONTACT_TOKEN_FILE'] ?? '';
  await until(() => readIfThere(file).includes('accessToken'), 'the tokens are stored');
  const { accessToken: token, refreshToken } = JSON.parse(readFile(file));
  secrets.push(token, refreshToken);
  return { env, live, file };
}

function readIfThere(file: string): string {
  try {
    return readFile(file);
  } catch {
    return '';
  }
}

test('with v2, all is well: one call, no trouble, exit code 0', async () => {
  const { exitCode, troubles, results } = await consult(v2());
  expect([exitCode, troubles]).toEqual([0, []]);
  expect(sandbox.calls.map(({ path, query }) => [path, query['limit']])).toEqual([
    ['/v2/emailmarketing/campaigns', '1'],
  ]);
  expect(results.map(({ kind }) => kind)).toEqual([
    ...[
      'configuration',
      'proxy',
      'network',
      'network',
      'tls',
      'answer',
      'credentials',
      'clock',
      'files',
      'ports',
      'ports',
    ],
  ]);
});

describe('with v3, beside a live Sendgate', () => {
  test('uses the stored token, refreshes nothing, takes no lock, and a port in use is a note', async () => {
    const { env, live, file } = await authorized();
    const before = [readFile(file), sandbox.tokenCallCount];
    const { exitCode, troubles, of } = await consult({ ...env, PORT: new URL(live.url).port });
    expect([exitCode, troubles]).toEqual([0, []]);
    expect(of('credentials')).toMatchObject([{ state: 'ok' }]);
    expect(of('privileges')).toMatchObject([{ state: 'ok' }]);
    expect(of('ports')).toMatchObject([
      {
        state: 'note',
        found: expect.stringContaining('in use'),
        remedy: expect.stringMatching(/^right if Sendgate runs/),
      },
      { state: 'ok' },
    ]);
    expect([readFile(file), sandbox.tokenCallCount]).toEqual(before);
    const beside = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)));
    expect(beside).toEqual([basename(file)]);
  });

  test("finds a Campaign Creator's token, by either answer of Constant Contact", async () => {
    const { env } = await authorized();
    sandbox.privileges = ['contacts:contact:read'];
    const byList = await consult(env);
    sandbox.fault({ kind: 'access-denied' });
    const byRefusal = await consult(env);
    for (const { exitCode, troubles } of [byList, byRefusal]) {
      expect([exitCode, troubles]).toEqual([15, [expect.stringMatching(/^failed +privileges: .*Owner/)]]);
    }
  });

  test('says of an expired token what the start does about it, and does not fail', async () => {
    const { env } = await authorized();
    const later = new ForwardClock();
    later.stepWall(26 * 3_600_000);
    sandbox.oauth?.expire();
    const { exitCode, of } = await consult(env, later);
    expect(of('credentials')).toMatchObject([{ state: 'warning', found: 'the access token expired 2 hours ago' }]);
    expect(exitCode).toBe(16); // That clock is a day ahead of the sandbox's.
  });

  test('finds a refused token', async () => {
    const { env } = await authorized();
    sandbox.oauth?.revoke();
    const { exitCode, troubles } = await consult(env);
    expect([exitCode, troubles]).toEqual([14, [expect.stringMatching(/^failed +credentials: .*npm run authorize/)]]);
  });
});

test('storage is looked at without its lock, beside the Sendgate that holds it, and not created', async () => {
  const directory = join(folder, 'storage');
  const env = v2({ SENDGATE_STORAGE_DIRECTORY: directory });
  const before = await consult(env);
  expect([before.exitCode, before.troubles]).toEqual([0, []]);
  expect(before.of('files')).toMatchObject([{ state: 'ok', found: `${directory} can be created` }]);
  expect(existsSync(directory)).toBe(false);
  const live = await startInstance(sandbox, new ForwardClock(), env, 'v2');
  ending.push(() => live.close());
  sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  await live.get('/campaigns/1/sends');
  await until(() => existsSync(join(directory, 'pages')), 'a page is stored');
  const beside = await consult(env);
  expect([beside.exitCode, beside.troubles]).toEqual([0, []]);
  expect(beside.of('files')).toMatchObject([
    { state: 'ok', found: `${directory} can be written` },
    { state: 'note', found: `${directory} is in use by another process` },
  ]);
  expect(readdirSync(directory, { recursive: true })).not.toContainEqual(expect.stringContaining('trial'));
});

test('a storage directory that nobody uses any more is not in use, and one without storage is told what that means', async () => {
  const directory = join(folder, 'left');
  const live = await startInstance(sandbox, new ForwardClock(), v2({ SENDGATE_STORAGE_DIRECTORY: directory }), 'v2');
  await live.close();
  const left = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: directory }));
  expect(left.of('files')).toMatchObject([{ state: 'ok' }]);
  const none = await consult(v2());
  expect(none.of('files')).toMatchObject([
    { state: 'note', check: 'storage', found: expect.stringContaining('restart') },
  ]);
});

test('with v3, finds a token file of another application, of which a start could not live', async () => {
  const file = join(folder, 'others.json');
  const tokens = { clientId: 'another-5ecret', refreshToken: 'others-5ecret-1', accessToken: 'others-5ecret-2' };
  writeFileSync(file, JSON.stringify({ ...tokens, issuedAt: Date.now(), expiresAt: Date.now() + 60_000 }));
  secrets.push(...Object.values(tokens));
  const env = { ...upstreamEnv(sandbox, 'v3'), CONSTANT_CONTACT_TOKEN_FILE: file, CONSTANT_CONTACT_REFRESH_TOKEN: '' };
  const { exitCode, troubles } = await consult(env);
  expect([exitCode, troubles]).toEqual([14, [expect.stringMatching(/^failed +credentials: .*npm run authorize/)]]);
});

test('with v3 and no token stored yet, makes the call without one and spends no refresh token', async () => {
  const { exitCode, troubles, of } = await consult(upstreamEnv(sandbox, 'v3'));
  expect([exitCode, troubles]).toEqual([0, []]);
  expect(of('credentials')).toMatchObject([{ state: 'note', found: 'no access token is stored yet' }]);
  expect([sandbox.callCount, sandbox.tokenCallCount]).toEqual([1, 0]);
  expect(sandbox.calls[0]?.headers.authorization).toBeUndefined();
});

describe('finds', () => {
  test('a wrong host', async () => {
    const unknown = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `https://${unknownHost}` }));
    expect([unknown.exitCode, unknown.troubles]).toEqual([11, [expect.stringMatching(/does not resolve.*baseUrl/)]]);
    const nowhere = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `http://127.0.0.1:${await freePort()}` }));
    expect([nowhere.exitCode, nowhere.troubles]).toEqual([11, [expect.stringMatching(/ECONNREFUSED.*baseUrl/)]]);
    const other = http.createServer((_, res) => res.writeHead(404).end('<html>')).listen(0, '127.0.0.1');
    ending.push(() => other.close());
    await until(() => other.listening, 'it listens');
    const { port } = other.address() as AddressInfo;
    const wrong = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `http://127.0.0.1:${port}` }));
    expect([wrong.exitCode, wrong.troubles]).toEqual([13, [expect.stringMatching(/HTTP 404.*baseUrl/)]]);
  });

  test.each([
    ['answers in another protocol', (socket: Socket) => void socket.end('220 mail.example ESMTP\r\n')],
    [
      'answers a request with something else',
      (socket: Socket) => void socket.once('data', () => socket.end('-ERR\r\n')),
    ],
  ])('a service that %s: no failure of the network', async (_, answer) => {
    const base = await serviceThat(answer);
    const { exitCode, troubles } = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `http://${base}` }));
    expect([exitCode, troubles]).toEqual([13, [expect.stringMatching(/^failed +answer.*not HTTP.*correct.*baseUrl/)]]);
  });

  test('a token endpoint that cannot be reached, though the API can', async () => {
    const url = `http://127.0.0.1:${await freePort()}/oauth2/default/v1/token`;
    const { exitCode, troubles } = await consult({ ...upstreamEnv(sandbox, 'v3'), CONSTANT_CONTACT_TOKEN_URL: url });
    expect([exitCode, troubles]).toEqual([11, [expect.stringMatching(/token endpoint.*ECONNREFUSED.*tokenUrl/)]]);
  });

  test('a wrong key', async () => {
    secrets.push('wrong-5ecret-key');
    const { exitCode, troubles } = await consult(v2({ CONSTANT_CONTACT_API_KEY: 'wrong-5ecret-key' }));
    expect([exitCode, troubles]).toEqual([14, [expect.stringMatching(/^failed +credentials: .*API_KEY/)]]);
  });

  test.each([
    [3_600_000, 'failed', '60 minutes ahead of', 16],
    [-3_600_000, 'failed', '60 minutes behind', 16],
    [60_000, 'warning', '60 seconds ahead of', 0],
  ])('a clock that is %d ms off', async (ms, state, found, code) => {
    const clock = new ForwardClock();
    clock.stepWall(ms);
    const { exitCode, of } = await consult(v2(), clock);
    expect(of('clock')).toMatchObject([{ state, found: expect.stringContaining(found.slice(3)) }]);
    expect(exitCode).toBe(code);
  });

  test('what Constant Contact answers beside pages', async () => {
    const { exitCode: day, troubles: daySaid } = await withFault({ kind: 'over-ratelimit' });
    expect([day, daySaid]).toEqual([0, [expect.stringMatching(/^warning .*quota is spent/)]]);
    const { exitCode: second } = await withFault({ kind: 'over-qps' });
    expect(second).toBe(0);
    for (const kind of ['gone', 'html', 'redirect', 'malformed'] as const) {
      const { exitCode, troubles } = await withFault({ kind });
      expect([kind, exitCode, troubles]).toEqual([kind, 13, [expect.stringMatching(/^failed +answer/)]]);
    }
    const { exitCode: reset } = await withFault({ kind: 'reset' });
    expect(reset).toBe(11);
  });

  async function withFault(fault: Parameters<Sandbox['fault']>[0]) {
    sandbox.fault(fault);
    const report = await consult(v2());
    sandbox.heal();
    return report;
  }

  test('a state file and a token file that cannot be written', async () => {
    const state = await consult(v2({ SENDGATE_QUOTA_STATE_FILE: join(notFolder, 'state.json') }));
    expect([state.exitCode, state.troubles]).toEqual([17, [expect.stringMatching(/state file.*ENOTDIR.*stateFile/)]]);
    const isFolder = await consult(v2({ SENDGATE_QUOTA_STATE_FILE: folder }));
    expect([isFolder.exitCode, isFolder.troubles]).toEqual([17, [expect.stringContaining('cannot be read (EISDIR)')]]);
    const file = join(notFolder, 'tokens.json');
    const tokens = await consult({ ...upstreamEnv(sandbox, 'v3'), CONSTANT_CONTACT_TOKEN_FILE: file });
    expect([tokens.exitCode, tokens.troubles]).toEqual([17, [expect.stringMatching(/token file.*TOKEN_FILE/)]]);
    expect(readdirSync(folder)).not.toContainEqual(expect.stringContaining('trial'));
  });

  test('a token file, or the state file in storage, that is a pipe or a device', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const directory = join(folder, 'storage-with-pipe');
    mkdirSync(directory, { mode: 0o700 });
    execFileSync('mkfifo', [join(directory, 'state.json')]);
    const envs = [
      v2({ SENDGATE_STORAGE_DIRECTORY: directory }),
      { ...upstreamEnv(sandbox, 'v3'), CONSTANT_CONTACT_TOKEN_FILE: pipe },
      { ...upstreamEnv(sandbox, 'v3'), CONSTANT_CONTACT_TOKEN_FILE: '/dev/zero' },
    ];
    for (const env of envs) {
      const { exitCode, troubles } = await consult(env);
      expect([exitCode, troubles]).toEqual([17, [expect.stringContaining('cannot be read (ENXIO)')]]);
    }
  });

  test('nothing wrong with a file that is tried several times at once, as at a start that refreshes its tokens', async () => {
    const file = join(folder, 'tried.json');
    writeFileSync(file, '');
    const sizes = [0, 4_096, 65_536, 1_048_576];
    const trials = [...sizes, ...sizes.toReversed()].map((bytes) => checkWritable(file, bytes));
    await expect(Promise.all(trials)).resolves.toBeDefined();
  });

  test('a storage directory that cannot be created, or written', async () => {
    const below = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: join(notFolder, 'storage') }));
    expect([below.exitCode, below.troubles]).toEqual([17, [expect.stringMatching(/storage: .*ENOTDIR.*directory/)]]);
    const isFile = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: notFolder }));
    expect([isFile.exitCode, isFile.troubles]).toEqual([17, [expect.stringContaining('ENOTDIR')]]);
    const broken = join(folder, 'broken');
    mkdirSync(broken, { mode: 0o700 });
    writeFileSync(join(broken, 'pages'), 'no folder');
    const pages = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: broken }));
    expect([pages.exitCode, pages.troubles]).toEqual([17, [expect.stringContaining('ENOTDIR')]]);
    const locked = join(folder, 'locked');
    mkdirSync(locked, { mode: 0o700 });
    writeFileSync(join(locked, 'lock'), 'no socket');
    const lock = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: locked }));
    expect([lock.exitCode, lock.troubles]).toEqual([17, [expect.stringMatching(/locked.*ENOTSOCK.*; .*lock/)]]);
    expect(readdirSync(locked)).toEqual(['lock']);
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o755);
    const open = await consult(v2({ SENDGATE_STORAGE_DIRECTORY: shared }));
    expect([open.exitCode, open.troubles]).toEqual([0, [expect.stringMatching(/^warning .*open to others .*755/)]]);
  });

  test('a directory where there can be no lock, though it can be written', async () => {
    const lock = { cannot: 'locked', code: 'EPERM' };
    const result = judgeTrial('storage', '/fat', 'storage.directory', lock);
    expect(result).toMatchObject({ state: 'failed', remedy: expect.stringMatching(/^name one .*Unix sockets/) });
  });

  test('a disk that is full, or smaller than what pages may take', async () => {
    const full = judgeTrial('storage', '/full', 'storage.directory', { cannot: 'written', code: 'ENOSPC' });
    expect(full).toMatchObject({ state: 'failed', remedy: expect.stringMatching(/^free room/) });
    const env = { SENDGATE_STORAGE_DIRECTORY: join(folder, 'small'), SENDGATE_STORAGE_MAX_BYTES: String(1024 ** 5) };
    const small = await consult(v2(env));
    expect([small.exitCode, small.troubles]).toEqual([0, [expect.stringMatching(/^warning .*storage\.maxBytes/)]]);
  });

  test('an address that cannot be listened on', async () => {
    const env = { HOST: '192.0.2.1', SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' };
    const { exitCode, troubles } = await consult(v2(env));
    expect([exitCode, troubles]).toEqual([69, [expect.stringMatching(/server\.host.*EADDRNOTAVAIL/)]]);
  });

  test('several at once: the exit code is that of the first in order of cause', async () => {
    const { exitCode, troubles } = await consult(
      v2({
        CONSTANT_CONTACT_API_KEY: 'wrong-5ecret-key',
        SENDGATE_QUOTA_STATE_FILE: join(notFolder, 'state.json'),
        REDIS_URL: `redis://sendgate:${redisPassword}@127.0.0.1:${await freePort()}`,
      }),
    );
    expect(troubles).toHaveLength(3);
    expect(exitCode).toBe(14);
  });
});

describe('through a proxy, the doctor', () => {
  const password = 'proxy-5ecret+/Xy7';
  const host = unknownHost;
  let connects: string[];

  /** @param answer what a proxy that refuses says; undefined for one that opens a tunnel to `to` */
  async function consultThrough(answer: string | undefined, to?: number, env: Environment = {}) {
    connects = [];
    secrets.push(password, Buffer.from(`user:${password}`).toString('base64'));
    const proxy = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (data) => {
        connects.push(data.toString().split('\r\n')[0] ?? '');
        if (answer !== undefined)
          return void socket.end(`HTTP/1.1 ${answer}\r\nX-Quoted: ${data.toString('base64')}\r\n\r\n`);
        if (to === undefined) return;
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const tunnel = connect(to, '127.0.0.1');
        tunnel.on('error', () => socket.destroy());
        socket.pipe(tunnel).pipe(socket);
      });
    }).listen(0, '127.0.0.1');
    ending.push(() => void proxy.close());
    await until(() => proxy.listening, 'it listens');
    const { port } = proxy.address() as AddressInfo;
    const HTTPS_PROXY = `http://user:${encodeURIComponent(password)}@127.0.0.1:${port}`;
    return { port, ...(await consult(v2({ CONSTANT_CONTACT_BASE_URL: `https://${host}`, HTTPS_PROXY, ...env }))) };
  }

  test.each([
    ['407 Proxy Authentication Required', '407', 'user'],
    ['403 Filtered', '403', 'allow the host'],
    ['502 Bad Gateway', '502', 'log'],
  ])('names one that refuses with %s, and not as refused credentials', async (answer, status, remedy) => {
    const { exitCode, troubles, port } = await consultThrough(answer);
    const said = new RegExp(`^failed +proxy to Constant Contact: 127.0.0.1:${port} .*${status}.*${remedy}`);
    expect([exitCode, troubles]).toEqual([10, [expect.stringMatching(said)]]);
    expect(connects).toEqual([`CONNECT ${host}:443 HTTP/1.1`]);
  });

  test('names one that cannot be reached, and one that hangs', async () => {
    const HTTPS_PROXY = `http://127.0.0.1:${await freePort()}`;
    const away = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `https://${host}`, HTTPS_PROXY }));
    expect([away.exitCode, away.troubles]).toEqual([10, [expect.stringMatching(/ECONNREFUSED.*HTTPS_PROXY/)]]);
    const both = { https_proxy: HTTPS_PROXY, HTTPS_PROXY: 'http://127.0.0.1:1' };
    const lower = await consult(v2({ CONSTANT_CONTACT_BASE_URL: `https://${host}`, ...both }));
    expect(lower.troubles).toEqual([expect.stringMatching(/ECONNREFUSED.*correct https_proxy /)]);
    const hangs = await consultThrough(undefined, undefined, { SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '300' });
    expect([hangs.exitCode, hangs.troubles]).toEqual([10, [expect.stringContaining('TIMEOUT')]]);
  });

  test('looks behind one that works: the name is not resolved here, and TLS is with the host', async () => {
    const { exitCode, troubles, of, port } = await consultThrough(undefined, Number(new URL(sandbox.url).port));
    expect([exitCode, troubles]).toEqual([12, [expect.stringMatching(/^failed +TLS to Constant Contact/)]]);
    expect(of('proxy')).toMatchObject([{ state: 'note', found: expect.stringContaining(`127.0.0.1:${port} is used`) }]);
  });

  test('says of NO_PROXY that it is in force', async () => {
    const { exitCode, of } = await consultThrough('403 Filtered', undefined, { NO_PROXY: '.invalid' });
    expect([exitCode, of('proxy')]).toMatchObject([11, [{ found: expect.stringContaining('NO_PROXY') }]]);
    expect(connects).toEqual([]);
  });
});

describe('Redis', () => {
  const operations = readFile(join(import.meta.dirname, '../docs/operations.md'));
  const [, line = ''] = /^ACL SETUSER sendgate (on .*)$/m.exec(operations) ?? [];
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await RedisServer.start();
  });
  afterAll(() => redis.stop());

  const permit = (...changes: string[]) =>
    redis.ask((client) =>
      client.call('ACL', 'SETUSER', 'sendgate', 'reset', ...line.split(' '), 'nopass', `>${redisPassword}`, ...changes),
    );
  const url = (password = redisPassword) => `redis://sendgate:${password}@127.0.0.1:${redis.port}`;

  test('with the documented rights is well, and gains no instance and no key', async () => {
    await permit();
    const { exitCode, of } = await consult(v2({ REDIS_URL: url() }));
    expect([exitCode, of('redis')]).toMatchObject([0, [{ state: 'ok' }]]);
    expect(await redis.ask((client) => client.keys('*'))).toEqual([]);
    expect(await redis.ask((client) => client.call('ACL', 'LOG'))).toEqual([]);
  });

  test.each<[string, string, string, string]>([
    ['full', 'is full', 'maxmemory', 'CONFIG SET maxmemory 100'],
    ['a replica', 'read-only replica', 'master', 'REPLICAOF 127.0.0.1 1'],
    ['without the replicas that it wants', 'not ready', 'log', 'CONFIG SET min-replicas-to-write 1'],
  ])('that is %s fails, though it permits everything', async (_, found, remedy, spoil) => {
    await permit();
    const call = (text: string) =>
      redis.ask((client) => {
        const [command = '', ...words] = text.split(' ');
        return client.call(command, ...words);
      });
    await call(spoil);
    try {
      const { exitCode, troubles } = await consult(v2({ REDIS_URL: url() }));
      expect([exitCode, troubles]).toEqual([18, [expect.stringMatching(new RegExp(`${found}.*; .*${remedy}`))]]);
    } finally {
      for (const undo of ['CONFIG SET maxmemory 0', 'REPLICAOF NO ONE', 'CONFIG SET min-replicas-to-write 0'])
        await call(undo);
    }
    expect(await redis.ask((client) => client.keys('*'))).toEqual([]);
  });

  test('that has no such database, or speaks no TLS, is told in words', async () => {
    await permit();
    const database = await consult(v2({ REDIS_URL: `${redis.url}/99` }));
    expect([database.exitCode, database.troubles]).toEqual([
      18,
      [expect.stringMatching(/no such database.*REDIS_URL/)],
    ]);
    const tls = await consult(v2({ REDIS_URL: url().replace('redis:', 'rediss:') }));
    expect([tls.exitCode, tls.troubles]).toEqual([18, [expect.stringMatching(/TLS.*redis:/)]]);
  });

  test.each([
    ['-hset', 'the command hset'],
    ['-hset -zadd -get', 'the commands get, hset and zadd'],
    ['-scan', 'the command scan'],
    ['-evalsha', 'the command evalsha'],
    ['-subscribe', 'the command subscribe'],
    ['resetchannels', 'a channel'],
  ])('with a user without %s is named as such', async (change, denied) => {
    await permit(...change.split(' '));
    const { exitCode, troubles } = await consult(v2({ REDIS_URL: url() }));
    expect([exitCode, troubles]).toEqual([18, [expect.stringContaining(`denies ${denied};`)]]);
  });

  test('that is paused is told in words', async () => {
    await permit();
    redis.signal('SIGSTOP');
    try {
      const { exitCode, troubles } = await consult(v2({ REDIS_URL: url() }));
      expect([exitCode, troubles]).toEqual([18, [expect.stringMatching(/does not answer, or is no Redis.*REDIS_URL/)]]);
    } finally {
      redis.signal('SIGCONT');
    }
  });

  test.each([
    ['another service', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a service that closes the connection', (socket: Socket) => void socket.destroy()],
  ])('that is %s is told in words', async (_, answer) => {
    const { exitCode, troubles } = await consult(v2({ REDIS_URL: `redis://${await serviceThat(answer)}` }));
    expect([exitCode, troubles]).toEqual([18, [expect.stringMatching(/does not answer, or is no Redis.*REDIS_URL/)]]);
  });

  test('that cannot be reached, or refuses the password, is named', async () => {
    await permit('resetpass', `>${redisPassword}`);
    const refused = await consult(v2({ REDIS_URL: url('other-5ecret') }));
    expect([refused.exitCode, refused.troubles]).toEqual([18, [expect.stringContaining('(refused)')]]);
    const nowhere = await consult(v2({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }));
    expect([nowhere.exitCode, nowhere.troubles]).toEqual([
      18,
      [expect.stringMatching(/\((ECONNREFUSED|connection)\)/)],
    ]);
  });
});

describe('TLS', () => {
  const certificate = join(folder, 'certificate.pem');
  let front: https.Server;
  let url: string;

  beforeAll(async () => {
    const key = join(folder, 'key.pem');
    execFileSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
    ]);
    front = https.createServer({ key: readFile(key), cert: readFile(certificate) }, (req, res) => {
      const { pathname, search } = new URL(req.url ?? '/', sandbox.url);
      const headers = { ...req.headers, connection: 'close' };
      http.get(`${sandbox.url}${pathname}${search}`, { headers }, (reply) => {
        res.writeHead(reply.statusCode ?? 0, reply.headers);
        reply.pipe(res);
      });
    });
    front.listen(0, '127.0.0.1');
    await until(() => front.listening, 'it listens');
    url = `https://localhost:${(front.address() as AddressInfo).port}`;
  });
  afterAll(() => void front.close());

  test('of an unknown authority is named, with what to do; nothing is sent', async () => {
    const { exitCode, troubles } = await consult(v2({ CONSTANT_CONTACT_BASE_URL: url }));
    expect([exitCode, troubles]).toEqual([
      ...[12, [expect.stringMatching(/DEPTH_ZERO_SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/)]],
    ]);
    expect(sandbox.callCount).toBe(0);
  });

  test('of another host is named', async () => {
    const { exitCode, troubles } = await consult(
      v2({ CONSTANT_CONTACT_BASE_URL: url.replace('localhost', '127.0.0.1') }),
    );
    expect([exitCode, troubles]).toEqual([12, [expect.stringMatching(/^failed +TLS/)]]);
  });

  test('of an authority in NODE_EXTRA_CA_CERTS is well: the program, with its flags and its exit code', async () => {
    const env = { ...ports, ...v2({ CONSTANT_CONTACT_BASE_URL: url }), NODE_EXTRA_CA_CERTS: certificate };
    const doctor = spawnMain(env, ['--check-config', '--connect']);
    expect(await doctor.exited).toBe(0);
    said += doctor.output();
    expect(doctor.output()).toMatch(/^ok +configuration: .*\n/);
    expect(doctor.output()).toMatch(/\nok +TLS to Constant Contact: /);
    expect(doctor.output()).not.toMatch(/^(failed|warning)/m);
  });
});

test('a server that speaks no TLS is named', async () => {
  const { exitCode, troubles } = await consult(v2({ CONSTANT_CONTACT_BASE_URL: sandbox.url.replace('http', 'https') }));
  expect([exitCode, troubles]).toEqual([12, [expect.stringMatching(/handshake/)]]);
});

describe('the program', () => {
  test('ends with the exit code of a failure', async () => {
    const env = { ...ports, ...v2({ CONSTANT_CONTACT_API_KEY: 'wrong-5ecret-key' }) };
    const doctor = spawnMain(env, ['--check-config', '--connect']);
    expect(await doctor.exited).toBe(14);
    said += doctor.output();
    expect(doctor.output()).toMatch(/^failed +credentials: /m);
  });

  test('ends with 78 for a bad configuration, and with 64 for --connect alone', async () => {
    expect(await spawnMain({ PORT: 'x' }, ['--check-config', '--connect']).exited).toBe(78);
    expect(await spawnMain({}, ['--connect']).exited).toBe(64);
  });
});

test('a token that names its scopes must have campaign_data among them', () => {
  const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
  expect(lacksScope(jwt({ scp: ['offline_access', 'campaign_data'] }))).toBe(false);
  expect(lacksScope(jwt({ scope: 'offline_access campaign_data' }))).toBe(false);
  expect(lacksScope(jwt({ scp: ['contact_data'] }))).toBe(true);
  for (const silent of ['', 'opaque', 'a.b.c', jwt({}), jwt({ scp: 'campaign_data' })])
    expect(lacksScope(silent)).toBe(false);
});

test.each([
  [299, 'warning', '299 seconds'],
  [305, 'failed', '305 seconds'],
  [3_600, 'failed', '60 minutes'],
])('a clock that is %d s off has words that fit its judgement', (seconds, state, words) => {
  const date = new Date(0).toUTCString();
  expect(judgeClock({ date, atMs: seconds * 1000, uncertainMs: 0 })).toMatchObject({
    state,
    found: expect.stringContaining(`${words} ahead`),
  });
});

test('an answer without a date says nothing about the clock', () => {
  expect(judgeClock({ date: undefined, atMs: 0, uncertainMs: 0 })).toMatchObject({ state: 'note' });
});

test('a slow answer is no clock that is off', () => {
  const date = new Date(0).toUTCString();
  expect(judgeClock({ date, atMs: 60_000, uncertainMs: 60_000 })).toMatchObject({ state: 'ok' });
});

describe('at start', () => {
  const warnings = ({ lines }: Harness) =>
    lines.filter((text) => text.includes('service.check_failed')).map((text) => JSON.parse(text) as { check: string });

  test('an unwritable state file and a wrong base URL are warnings in the log; Sendgate is ready all the same', async () => {
    const it = await start({
      CONSTANT_CONTACT_BASE_URL: `http://127.0.0.1:${await freePort()}`,
      SENDGATE_QUOTA_STATE_FILE: join(notFolder, 'state.json'),
    });
    ending.push(() => it.close());
    await until(() => warnings(it).length === 2, 'both are logged');
    const level = 'warn';
    for (const said of [
      { level, check: 'state file', msg: expect.stringMatching(/ENOTDIR/) },
      { level, check: 'connection to Constant Contact' },
    ]) {
      expect(warnings(it)).toContainEqual(expect.objectContaining(said));
    }
    const ready = await fetch(`${it.service.managementUrl}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', upstream: 'untested' }]);
    said += it.lines.join('');
  });

  test('a disk that hangs does not hold the process up', async () => {
    const pipe = join(folder, 'slow');
    execFileSync('mkfifo', [pipe]);
    // Opening a pipe waits until somebody writes: as a disk that hangs, that takes every thread that Node has for files.
    const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
    const hanging = Promise.all(Array.from({ length: threads }, () => open(pipe)));
    ending.push(async () => {
      const writer = openSync(pipe, 'r+');
      for (const file of await hanging) await file.close();
      closeSync(writer);
    });
    const troubles: string[] = [];
    const checked = checkAtStart(loadConfig(v2({ SENDGATE_QUOTA_STATE_FILE: folder }), readFile), {
      ...{ userAgent: 'sendgate/test', signal: new AbortController().signal },
      onTrouble: ({ check }) => troubles.push(check),
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(troubles).toEqual([]);
    await ending.pop()?.();
    await checked;
    expect(troubles).toEqual(['state file']);
  });

  test('a connection is made, on which nothing is sent', async () => {
    const seen: string[] = [];
    const server = createServer((socket) => {
      seen.push('connected');
      socket.on('error', () => {});
      socket.on('data', (data) => seen.push(data.toString()));
      socket.on('close', () => seen.push('closed'));
    }).listen(0, '127.0.0.1');
    ending.push(() => void server.close());
    await until(() => server.listening, 'it listens');
    const it = await start({ CONSTANT_CONTACT_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
    ending.push(() => it.close());
    await until(() => seen.includes('closed'), 'the connection is over');
    expect(seen).toEqual(['connected', 'closed']);
  });

  test('a clock an hour off is a warning with the first answer, and only then', async () => {
    const clock = new ForwardClock();
    clock.stepWall(-3_600_000);
    const it = await startInstance(sandbox, clock, {}, 'v2');
    ending.push(() => it.close());
    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    for (const limit of [1, 2]) await it.get(`/campaigns/1/sends?limit=${limit}`);
    expect(warnings(it)).toMatchObject([{ check: 'clock', msg: expect.stringMatching(/behind/) }]);
  });
});

describe('/readyz', () => {
  test.each([
    ['a page', undefined, 'ok'],
    ['an error', { kind: 'status', status: 500, times: 1 }, 'ok'],
    ['a refusal of the credentials', { kind: 'status', status: 401 }, 'credentials-refused'],
    ['no answer', { kind: 'reset' }, 'failing'],
  ] as const)('says untested until the first answer, then what that means: %s', async (_, fault, expected) => {
    const it = await start({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' }, {}, 'v2');
    ending.push(() => it.close());
    it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    const upstream = async () => {
      const ready = await fetch(`${it.service.managementUrl}/readyz`);
      return ((await ready.json()) as { upstream: string }).upstream;
    };
    const gauge = async () =>
      /^sendgate_upstream_untested (\d)$/m.exec(await (await fetch(`${it.service.managementUrl}/metrics`)).text())?.[1];
    expect([await upstream(), await gauge()]).toEqual(['untested', '1']);
    if (fault) it.sandbox.fault(fault);
    await it.get('/campaigns/1/sends');
    expect([await upstream(), await gauge()]).toEqual([expected, expected === 'failing' ? '1' : '0']);
  });
});

/**
 * The tokens of v3: renewed in time, by one at a time, and never lost.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { SandboxOAuthOptions } from '../src/sandbox/oauth/oauth-server.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { untilDecided } from '../src/upstream/oauth/device-flow.ts';
import { type RefreshTime, realTime } from '../src/upstream/oauth/persist.ts';
import { type RefreshOrder, type RefreshOutcome, refreshTokens as refresh } from '../src/upstream/oauth/refresh.ts';
import type { StoredTokens } from '../src/upstream/oauth/stored-tokens.ts';
import { TokenEndpoint } from '../src/upstream/oauth/token-endpoint.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import { Tokens } from '../src/upstream/oauth/tokens.ts';
import { FakeClock, ForwardClock, settled } from './support/clock.ts';
import { freePort } from './support/free-port.ts';
import { type Harness, oauth, start, startInstance, startSandbox, until } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-oauth-'));
let files = 0;

const running: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.close();
});

async function up(sandboxOptions: Parameters<typeof start>[1] = {}, env = {}): Promise<Harness> {
  const it = await start(env, sandboxOptions, 'v3');
  running.push(it);
  for (let id = 1; id <= 500; id++) it.sandbox.campaign({ id: String(id), size: 3, newestMs: it.clock.now() });
  return it;
}

const readiness = async ({ service }: Harness) => (await fetch(`${service.managementUrl}/readyz`)).json();
const sends = (id: number) => `/campaigns/${activityIdOf(String(id))}/sends`;

describe('the access token', () => {
  test.each([
    ['ended before its time', (it: Harness) => it.sandbox.oauth?.expire()],
    ['has expired', (it: Harness) => it.clock.forward(86_400)],
  ])('that %s is renewed once for 500 concurrent callers, who are all answered', async (_, end) => {
    const it = await up();
    expect((await it.get(sends(500))).status).toBe(200);
    expect(it.sandbox.tokenCallCount).toBe(1);
    end(it);
    const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => it.get(sends(n + 1))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(it.sandbox.tokenCallCount).toBe(2);
  });

  test('that is revoked twice in a minute is renewed each time, and credentials do not count as refused', async () => {
    const it = await up();
    for (let n = 1; n <= 3; n++) {
      expect((await it.get(sends(n))).status).toBe(200);
      it.sandbox.oauth?.expire();
      it.clock.forward(5);
    }
    expect(await readiness(it)).toMatchObject({ status: 'ready' });
    expect(it.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  test('is renewed in the background at 80 % of its life, and not much before', async () => {
    const it = await up();
    await it.get(sends(1));
    it.clock.forward(86_400 * 0.74);
    await it.get(sends(2));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(it.sandbox.tokenCallCount).toBe(1);
    it.clock.forward(86_400 * 0.12);
    it.sandbox.fault({ target: 'token', kind: 'latency', ms: 2_000 });
    expect((await it.get(sends(3))).status).toBe(200);
    // The page has come, and the new token has not.
    const before = it.lines.filter((line) => line.includes('"event":"token.renewed"')).length;
    await until(() => it.sandbox.tokenCallCount === 2, 'it is being renewed');
    const renewed = () => it.lines.filter((line) => line.includes('"event":"token.renewed"')).length;
    await until(() => renewed() === before + 1, 'it is renewed');
  });

  test('stays in use while it cannot be renewed, and is renewed when possible', async () => {
    const it = await up();
    await it.get(sends(1));
    it.sandbox.fault({ target: 'token', kind: 'status', status: 500 });
    const told = () =>
      it.lines.filter((line) => /token\.(refresh_failed|missing)/.test(line)).map((line) => JSON.parse(line));
    it.clock.forward(86_400 * 0.9);
    expect((await it.get(sends(2))).status).toBe(200);
    await until(() => told().length === 1, 'it is told that it could not be renewed');
    it.clock.forward(86_400 * 0.1);
    const refused = await it.get(sends(3));
    expect(refused.status).toBe(502);
    expect(await refused.json()).toMatchObject({ type: '/problems/upstream-failed' });
    expect(await readiness(it)).toEqual({ status: 'degraded', upstream: 'failing' });
    await until(() => told().length === 2, 'it is told that none is left');
    expect(told()).toMatchObject([{ level: 'warn' }, { level: 'error', event: 'token.missing', reason: 'http-5xx' }]);
    expect((await it.get(sends(1))).status).toBe(200); // stale
    it.sandbox.heal();
    it.clock.forward(120);
    await until(async () => (await it.get(sends(3))).status === 200, 'it works again');
    expect(await readiness(it)).toEqual({ status: 'ready', upstream: 'ok' });
  });

  test('can belong to a public client, or come with a long-lived refresh token', async () => {
    const { clientSecret: _, ...publicClient } = oauth;
    const it = await up({ oauth: { ...publicClient, rotating: false } }, { CONSTANT_CONTACT_CLIENT_SECRET: '' });
    for (let id = 1; id <= 3; id++) {
      expect((await it.get(sends(id))).status).toBe(200);
      it.clock.forward(86_401);
    }
    expect(it.sandbox.tokenCallCount).toBeGreaterThanOrEqual(3);
  });
});

test.each([
  ['is deleted', (file: string) => rmSync(file)],
  ['is damaged', (file: string) => writeFileSync(file, '{"clientId":')],
])(
  'when the file %s while Sendgate runs, the latest refresh token stays in use and is stored again',
  async (_, harm) => {
    const tokenFile = join(folder, `harmed-${files++}.json`);
    const it = await up({}, { CONSTANT_CONTACT_TOKEN_FILE: tokenFile });
    await it.get(sends(1));
    const before = readTokens(tokenFile, oauth.clientId);
    harm(tokenFile);
    it.service.reload();
    await until(() => it.lines.filter((line) => line.includes('token.renewed')).length === 2, 'it is renewed');
    expect(it.sandbox.tokenCallCount).toBe(2); // with the configured one, which is spent, there would be a third
    expect(readTokens(tokenFile, oauth.clientId)?.refreshToken).not.toBe(before?.refreshToken);
    expect(await readiness(it)).toEqual({ status: 'ready', upstream: 'ok' });
  },
);

describe('a refused refresh token', () => {
  test('is logged once with the remedy; cached pages are still served; a new authorization ends it', async () => {
    const tokenFile = join(folder, 'refused.json');
    const it = await up({}, { CONSTANT_CONTACT_TOKEN_FILE: tokenFile });
    await it.get(sends(1));
    it.sandbox.oauth?.revoke();
    it.clock.forward(600);
    expect((await it.get(sends(2))).status).toBe(502);
    for (let n = 0; n < 5; n++) {
      expect((await it.get(sends(1))).status).toBe(200);
      expect(await (await it.get(sends(2))).json()).toMatchObject({ type: '/problems/upstream-credentials-refused' });
    }
    const errors = it.lines.filter((line) => line.includes('"level":"error"'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('run `npm run authorize`');
    const ready = await fetch(`${it.service.managementUrl}/readyz`);
    expect(await ready.json()).toEqual({ status: 'degraded', upstream: 'credentials-refused' });
    const metrics = await (await fetch(`${it.service.managementUrl}/metrics`)).text();
    expect(metrics).toContain('sendgate_upstream_credentials_refused 1');
    expect(it.sandbox.tokenCallCount).toBeLessThanOrEqual(2); // the first, and the refused

    // What `npm run authorize` leaves behind.
    const now = it.clock.now();
    const grant = it.sandbox.oauth?.authorize() ?? { accessToken: '', refreshToken: '' };
    const tokens: StoredTokens = { clientId: oauth.clientId, ...grant, issuedAt: now, expiresAt: now + 86_400_000 };
    writeFileSync(tokenFile, JSON.stringify(tokens));
    const isReady = async () => (await fetch(`${it.service.managementUrl}/readyz`)).text();
    await until(async () => (await isReady()).includes('"ready"'), 'the new tokens are found, with nobody asking');
    expect((await it.get(sends(3))).status).toBe(200);
  });
});

test('no refresh token at all is not called refused: the log says where one may come from', async () => {
  const it = await up({}, { CONSTANT_CONTACT_REFRESH_TOKEN: '', REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  await until(() => it.lines.some((line) => line.includes('"event":"token.refused"')), 'it is logged');
  const line = JSON.parse(it.lines.find((one) => one.includes('"event":"token.refused"')) ?? '{}');
  expect(line).toMatchObject({
    reason: 'no-refresh-token',
    msg: expect.stringMatching(/^no refresh token.*npm run authorize.*Redis/),
  });
});

describe('a refresh', () => {
  let sandbox: Sandbox;
  async function order(
    more: Partial<RefreshOrder> = {},
    options: Parameters<typeof startSandbox>[0] = {},
  ): Promise<RefreshOrder> {
    sandbox = await startSandbox(options);
    running.push({ close: () => sandbox.stop() });
    return {
      ...oauth,
      tokenUrl: `${sandbox.url}/oauth2/default/v1/token`,
      tokenFile: join(folder, `tokens-${files++}.json`),
      userAgent: 'test',
      timeoutMs: 2_000,
      ...more,
    };
  }
  const stored = ({ tokenFile, clientId }: RefreshOrder) => readTokens(tokenFile, clientId);
  /** Without the second between two tries. */
  const refreshTokens = (one: RefreshOrder, time: Partial<RefreshTime> = {}) =>
    refresh(one, { wait: async () => {}, ...time });

  test('is on disk, readable by its owner only, before it is used', async () => {
    const first = await order();
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
    expect(statSync(first.tokenFile).mode & 0o777).toBe(0o600);
    expect(stored(first)?.refreshToken).not.toBe(oauth.refreshToken);
  });

  test('is made once for any number of processes', async () => {
    const first = await order();
    const all = await Promise.all(Array.from({ length: 10 }, () => refreshTokens(first)));
    expect(all).toEqual(all.map(() => ({ outcome: 'renewed' })));
    expect(sandbox.tokenCallCount).toBe(1);
    await refreshTokens({ ...first, replaces: stored(first)?.accessToken });
    expect(sandbox.tokenCallCount).toBe(2);
  });

  test('spends no refresh token if the next one could not be stored', async () => {
    const first = await order({ tokenFile: join(folder, 'no', 'such', 'folder.json') });
    expect(await refreshTokens(first)).toEqual({ outcome: 'failed', reason: 'token-file' });
    expect(sandbox.tokenCallCount).toBe(0);
  });

  test('spends no refresh token if the disk has room for a lock but not for tokens', async () => {
    const first = await order();
    const program = join(import.meta.dirname, '../dist/upstream/oauth/refresh-main.js');
    const child = spawn('sh', ['-c', 'ulimit -f 0; exec "$0" "$1"', process.execPath, program]);
    let told = '';
    child.stdout.on('data', (part) => {
      told += part;
    });
    child.stdin.end(JSON.stringify(first));
    await once(child, 'close');
    expect(JSON.parse(told)).toEqual({ outcome: 'failed', reason: 'token-file' });
    expect(sandbox.tokenCallCount).toBe(0);
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
  });

  test('spends no refresh token if the file is unreadable: it may contain a later one', async () => {
    const first = await order();
    mkdirSync(first.tokenFile); // what Docker makes of a file that is to be mounted and is not there
    expect(await refreshTokens(first)).toEqual({ outcome: 'failed', reason: 'token-file' });
    expect(sandbox.tokenCallCount).toBe(0);
    rmdirSync(first.tokenFile);
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
  });

  const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0;
  (mayMount ? test : test.skip)('spends no refresh token if the file is a mount that cannot be replaced', async () => {
    const first = await order();
    writeFileSync(first.tokenFile, '');
    writeFileSync(`${first.tokenFile}.outside`, '');
    const program = join(import.meta.dirname, '../dist/upstream/oauth/refresh-main.js');
    const script = 'mount --bind "$1.outside" "$1" && exec "$2" "$3"';
    const { tokenFile } = first;
    const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', tokenFile, process.execPath, program]);
    let told = '';
    child.stdout.on('data', (part) => {
      told += part;
    });
    child.stdin.end(JSON.stringify(first));
    await once(child, 'close');
    expect(JSON.parse(told)).toEqual({ outcome: 'failed', reason: 'token-file' });
    expect(sandbox.tokenCallCount).toBe(0);
  });

  test('does not wait for the lock of a process killed long ago', async () => {
    const first = await order();
    writeFileSync(`${first.tokenFile}.lock`, '');
    const longAgo = Date.now() / 1000 - 120;
    utimesSync(`${first.tokenFile}.lock`, longAgo, longAgo);
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
  });

  test('waits for a response no longer than its lock lasts, whatever the configured timeout', async () => {
    expect(realTime.longestCallMs).toBeLessThanOrEqual(10_000);
    const first = await order({ timeoutMs: 300_000 });
    sandbox.fault({ target: 'token', kind: 'hang' });
    expect(await refreshTokens(first, { longestCallMs: 200 })).toEqual({ outcome: 'failed', reason: 'timeout' });
  });

  test('respects the lock of a running refresh', async () => {
    const first = await order({ timeoutMs: 100 });
    writeFileSync(`${first.tokenFile}.lock`, '');
    expect(await refreshTokens(first)).toEqual({ outcome: 'failed', reason: 'locked' });
    expect(sandbox.tokenCallCount).toBe(0);
  });

  test('starts with the configured token if it is new, else continues with the file', async () => {
    const first = await order();
    await refreshTokens(first);
    const replaced = { ...first, replaces: stored(first)?.accessToken };
    await refreshTokens(replaced); // by the file: the configured one is spent
    expect(sandbox.tokenCallCount).toBe(2);
    const grant = sandbox.oauth?.authorize();
    const anew = { ...first, refreshToken: grant?.refreshToken }; // at once, however good those of the file are
    const chain = stored(first)?.refreshToken;
    expect(await refreshTokens(anew)).toEqual({ outcome: 'renewed' });
    expect(sandbox.tokenCallCount).toBe(3);
    expect(stored(first)?.refreshToken).not.toBe(chain);
    // A configured token that does not work leaves the chain of the file alone.
    const wrong = { ...first, refreshToken: 'a-token-of-old', replaces: stored(first)?.accessToken };
    expect(await refreshTokens(wrong)).toEqual({ outcome: 'renewed' });
    expect(sandbox.tokenCallCount).toBe(5);
    await refreshTokens({ ...wrong, replaces: stored(first)?.accessToken });
    expect(sandbox.tokenCallCount).toBe(6);
  });

  test('that tries several refresh tokens makes one call a second, the limit of the endpoint', async () => {
    const clock = new ForwardClock();
    const first = await order({}, { clock, limits: { perSecond: 1_000, perDay: 1_000 } });
    expect(await refreshTokens(first)).toEqual({ outcome: 'renewed' });
    clock.forward(1.1);
    const again = { ...first, refreshToken: 'a-token-of-old', replaces: stored(first)?.accessToken };
    const waits: number[] = [];
    const wait = async (ms: number) => {
      waits.push(ms);
      clock.forward(ms / 1000);
    };
    expect(await refreshTokens(again, { wait })).toEqual({ outcome: 'renewed' });
    expect([sandbox.tokenCallCount, waits]).toEqual([3, [1_000]]);
  });

  test("leaves another application's tokens alone", async () => {
    const first = await order();
    await refreshTokens(first);
    expect(readTokens(first.tokenFile, 'another-client')).toBeUndefined();
    const { refreshToken: _, ...rest } = first;
    expect(await refreshTokens({ ...rest, clientId: 'another-client' })).toEqual({
      outcome: 'refused',
      reason: 'no-refresh-token',
    });
  });

  test.each([
    ['status', { status: 503 }, 'http-5xx'],
    ['over-qps', {}, 'throttled'],
    ['reset', {}, 'ECONNRESET'],
    ['hang', {}, 'timeout'],
    ['malformed', {}, 'unusable-answer'],
    ['wrong-schema', {}, 'unusable-answer'],
    ['html', {}, 'http-5xx'],
    ['oversize', {}, 'too-large'],
    ['redirect', {}, 'redirect'],
    ['echo', {}, 'http-5xx'],
  ] as const)('that meets a %s fails, and says so in one word', async (kind, more, reason) => {
    const first = await order({ timeoutMs: 300 });
    sandbox.fault({ target: 'token', kind, ...more });
    expect(await refreshTokens(first)).toEqual({ outcome: 'failed', reason });
    expect(readdirOf(first)).toEqual([]);
  });
});

const readdirOf = ({ tokenFile }: RefreshOrder) =>
  ['', '.new', '.lock'].filter((end) => {
    try {
      return readFileSync(`${tokenFile}${end}`);
    } catch {
      return false;
    }
  });

test('a start continues with the tokens of the file, unless a new refresh token is configured', async () => {
  const clock = new ForwardClock();
  const sandbox = await startSandbox({ clock });
  running.push({ close: () => sandbox.stop() });
  sandbox.campaign({ id: '1', size: 3, newestMs: clock.now() });
  const env = { CONSTANT_CONTACT_TOKEN_FILE: join(folder, `start-${files++}.json`) };
  async function answer(more = {}): Promise<number> {
    const it = await startInstance(sandbox, clock, { ...env, ...more }, 'v3');
    const { status } = await it.get(sends(1));
    await it.close();
    expect(status).toBe(200);
    return sandbox.tokenCallCount;
  }
  expect(await answer()).toBe(1);
  expect(await answer()).toBe(1);
  const anew = { CONSTANT_CONTACT_REFRESH_TOKEN: sandbox.oauth?.authorize().refreshToken };
  expect(await answer(anew)).toBe(2);
  expect(await answer(anew)).toBe(2);
  expect(await answer({ CONSTANT_CONTACT_REFRESH_TOKEN: '' })).toBe(2);
});

describe('refreshes', () => {
  let clock: FakeClock;
  let outcomes: RefreshOutcome[];
  let startedAt: number[];
  let file: StoredTokens | undefined;
  let changed: () => void;

  function tokens(ended: (outcome: RefreshOutcome) => void = () => {}, secrets: string[] = []): Tokens {
    clock = new FakeClock();
    startedAt = [];
    file = undefined;
    return new Tokens({
      clock,
      read: () => file,
      refresh: async () => {
        startedAt.push(clock.now() - Date.parse('2026-01-01T12:00:00Z'));
        await new Promise<void>((resolve) => clock.after(200, resolve));
        const outcome = outcomes.shift() ?? { outcome: 'renewed' };
        const issuedAt = clock.now();
        const names = { accessToken: `access ${issuedAt}`, refreshToken: `refresh ${issuedAt}` };
        if (outcome.outcome === 'renewed') file = { clientId: 'c', ...names, issuedAt, expiresAt: issuedAt + 100_000 };
        ended(outcome);
        return outcome;
      },
      watch: (callBack) => {
        changed = callBack;
        return () => {};
      },
      onTokens: (values) => void secrets.push(...values),
      onOutcome: () => {},
    });
  }

  /** A refresh that is under way at the end of a test comes to its own. */
  async function closing(one: Tokens): Promise<void> {
    const closed = one.close();
    await clock.pass(2_000);
    await closed;
  }

  test('run at the start, then at 80 % of each life, give or take 5, without requests', async () => {
    outcomes = [];
    const one = tokens();
    await clock.pass(400_000);
    expect(startedAt[0]).toBe(0);
    expect(startedAt.length).toBeGreaterThanOrEqual(5);
    for (const [n, at] of startedAt.entries()) {
      if (n === 0) continue;
      const life = at - (startedAt[n - 1] ?? 0) - 200;
      expect(life).toBeGreaterThanOrEqual(75_000);
      expect(life).toBeLessThanOrEqual(85_001);
    }
    await closing(one);
  });

  test('that fail are retried after one, two, four seconds, up to a minute', async () => {
    outcomes = Array.from({ length: 9 }, () => ({ outcome: 'failed' as const }));
    const one = tokens();
    await clock.pass(200_000);
    expect(startedAt.slice(0, 9)).toEqual(
      [0, 1.2, 3.4, 7.6, 15.8, 32, 64.2, 124.4, 184.6].map((seconds) => seconds * 1000),
    );
    await closing(one);
  });

  test('that bring a refresh token but no access token back off in the same way', async () => {
    outcomes = Array.from({ length: 9 }, () => ({ outcome: 'failed' as const, reason: 'no-access-token' }));
    const secrets: string[] = [];
    let calls = 0;
    const one = tokens((outcome) => {
      if (outcome.outcome !== 'failed') return;
      // What is stored then; the file is seen to have changed before the outcome has come, and after it.
      file = {
        clientId: 'c',
        accessToken: '',
        refreshToken: `rotated ${++calls}`,
        issuedAt: clock.now(),
        expiresAt: 0,
      };
      changed();
      clock.after(700, () => changed());
    }, secrets);
    await clock.pass(200_000);
    expect(startedAt.slice(0, 9)).toEqual(
      [0, 1.2, 3.4, 7.6, 15.8, 32, 64.2, 124.4, 184.6].map((seconds) => seconds * 1000),
    );
    expect(one.current()).toBe('');
    expect(secrets).toEqual(expect.arrayContaining(['rotated 1', 'rotated 9']));
    expect(secrets).not.toContain('');
    await closing(one);
  });

  test('that fail while a person authorizes pick up the new tokens', async () => {
    outcomes = [{ outcome: 'refused' }];
    const one = tokens((outcome) => {
      if (outcome.outcome !== 'refused') return;
      const [issuedAt, names] = [clock.now(), { accessToken: 'by a person', refreshToken: 'by a person' }];
      file = { clientId: 'c', ...names, issuedAt, expiresAt: issuedAt + 1_000_000 };
      changed();
    });
    await clock.pass(1_000);
    expect([one.needsPerson, one.current()]).toEqual([false, 'by a person']);
    await clock.pass(600_000);
    expect(startedAt).toHaveLength(1);
    await closing(one);
  });

  test('that are refused are retried a minute later, in case a person has authorized', async () => {
    outcomes = [{ outcome: 'refused' }, { outcome: 'failed' }, { outcome: 'refused' }];
    const one = tokens();
    await clock.pass(50_000);
    expect(one.needsPerson).toBe(true);
    await clock.pass(50_000);
    expect(one.needsPerson).toBe(true);
    await clock.pass(100_000);
    expect(startedAt.slice(0, 4)).toEqual([0, 60_200, 120_400, 180_600]);
    expect(one.needsPerson).toBe(false);
    await closing(one);
  });

  test('run at most once a second, however often the token is refused or the file changes', async () => {
    outcomes = [];
    const one = tokens();
    for (let n = 0; n < 100; n++) {
      const ready = one.ready();
      await clock.pass(250);
      await settled();
      one.refused(one.current(), true);
      changed();
      void ready?.catch(() => {});
    }
    const gaps = startedAt.slice(1).map((at, n) => at - (startedAt[n] ?? 0));
    expect(gaps.length).toBeGreaterThan(10);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1000);
    await closing(one);
  });
});

describe('the device flow', () => {
  async function flow(options: Partial<SandboxOAuthOptions>, decide: (poll: number, sandbox: Sandbox) => void) {
    const clock = new ForwardClock();
    const sandbox = await startSandbox({ clock, oauth: { ...oauth, ...options } });
    running.push({ close: () => sandbox.stop() });
    const tokenUrl = `${sandbox.url}/oauth2/default/v1/token`;
    const endpoint = new TokenEndpoint({ ...oauth, tokenUrl, userAgent: 'test', timeoutMs: 2_000 });
    const waits: number[] = [];
    const decided = untilDecided(endpoint, await endpoint.deviceCode(), async (seconds) => {
      waits.push(seconds);
      clock.forward(seconds + 0.01);
      decide(waits.length, sandbox);
    });
    return { waits, decided: decided.finally(() => endpoint.close()) };
  }

  test('polls at the given interval, more slowly after slow_down, and again after a broken connection', async () => {
    const { waits, decided } = await flow({ intervalSeconds: 4 }, (poll, sandbox) => {
      if (poll === 3) sandbox.oauth?.decide('slow_down');
      if (poll === 5) sandbox.fault({ target: 'token', kind: 'reset', times: 1 });
      if (poll === 7) sandbox.oauth?.decide('approve');
    });
    expect(await decided).toMatchObject({ accessToken: expect.any(String), refreshToken: expect.any(String) });
    expect(waits).toEqual([4, 4, 4, 9, 9, 18, 18]);
  });

  test.each([
    ['access_denied', {}, 'deny'],
    ['expired_token', { deviceSeconds: 20 }, undefined],
  ] as const)('ends with %s', async (reason, options, decision) => {
    const { decided } = await flow(options, (poll, sandbox) => {
      if (poll === 2 && decision) sandbox.oauth?.decide(decision);
    });
    await expect(decided).rejects.toMatchObject({ name: 'GrantError', reason });
  });
});

test('no token or secret leaks, whatever the token endpoint does', async () => {
  const tokenFile = join(folder, 'leaks.json');
  const it = await start(
    {
      CONSTANT_CONTACT_TOKEN_FILE: tokenFile,
      // An answer that is late for this has spent a refresh token for nothing, and a person would have to authorize again.
      SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '1000',
      SENDGATE_LOG_LEVEL: 'trace',
    },
    { oauth: { ...oauth, accessTokenSeconds: 60 } },
    'v3',
  );
  running.push(it);
  const { sandbox, clock, service } = it;
  sandbox.campaign({ id: '1', size: 3, newestMs: clock.now() });
  const told: string[] = [];
  const secrets = new Set<string>(Object.values(oauth));
  /** When the token has ended, and every pause after a failure. */
  const ask = async () => {
    clock.forward(61);
    const answer = await it.get(sends(1));
    told.push(JSON.stringify([...answer.headers]), await answer.text());
    const held = readTokens(tokenFile, oauth.clientId);
    for (const token of [held?.accessToken, held?.refreshToken]) if (token) secrets.add(token);
    return answer.status;
  };
  await until(async () => (await ask()) === 200, 'it works');
  const kinds = [
    'echo',
    'status',
    'malformed',
    'wrong-schema',
    'html',
    'reset',
    'hang',
    'redirect',
    'oversize',
  ] as const;
  for (const kind of kinds) {
    sandbox.fault({ target: 'token', kind, status: 400 });
    sandbox.fault({ kind: 'echo' });
    const calls = sandbox.tokenCallCount;
    await until(async () => (await ask()) > 0 && sandbox.tokenCallCount > calls, `a refresh meets ${kind}`);
    sandbox.heal();
    const before = secrets.size;
    await until(async () => (await ask()) === 200 && secrets.size > before, `it works after ${kind}`);
  }
  sandbox.oauth?.revoke();
  await until(async () => {
    await ask();
    return it.lines.join('').includes('npm run authorize');
  }, 'the refusal is logged');
  told.push(await (await fetch(`${service.managementUrl}/metrics`)).text());
  told.push(await (await fetch(`${service.managementUrl}/status`)).text());
  const everything = [...told, ...it.lines].join('\n');
  expect(secrets.size).toBeGreaterThan(kinds.length);
  for (const secret of secrets) {
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(encodeURIComponent(secret));
    expect(everything).not.toContain(Buffer.from(secret).toString('base64'));
  }
  expect(everything).not.toContain('Bearer');
}, 90_000);

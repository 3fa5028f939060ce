/**
 * `npm run authorize` as a person meets it, against the sandbox: the program in a terminal (util-linux's `script` makes one), and all
 * that can come of it in this process, where waits are over at once.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Fault } from '../src/sandbox/fault.ts';
import type { SandboxOAuthOptions } from '../src/sandbox/oauth/oauth-server.ts';
import type { TokenShape } from '../src/sandbox/oauth/token-shape.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { lock } from '../src/storage/file-lock.ts';
import { Authorization } from '../src/upstream/oauth/authorization.ts';
import { sha256 } from '../src/upstream/oauth/stored-tokens.ts';
import { TokenEndpoint } from '../src/upstream/oauth/token-endpoint.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import { Transport } from '../src/upstream/transport.ts';
import { type Environment, oauth, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';
import { InstantClock } from './support/instant-clock.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-authorize-'));
let files = 0;
let sandbox: Sandbox;
afterEach(() => sandbox.stop());

async function authorize(options: Partial<SandboxOAuthOptions> = {}, env: Environment = {}) {
  sandbox = await startSandbox({ oauth: { ...oauth, intervalSeconds: 1, ...options } });
  const { CONSTANT_CONTACT_REFRESH_TOKEN: _, ...base } = upstreamEnv(sandbox, 'v3');
  const tokenFile = join(folder, `tokens-${files++}.json`);
  const whole = { PATH: process.env['PATH'] ?? '', ...base, CONSTANT_CONTACT_TOKEN_FILE: tokenFile, ...env };
  const child = spawn('script', ['-qefc', `${process.execPath} dist/authorize.js`, '/dev/null'], { env: whole });
  let screen = '';
  child.stdout.on('data', (part) => {
    screen += part;
  });
  const exited = once(child, 'close').then(([code]) => code as number);
  return {
    tokenFile,
    env: whole,
    exited,
    type: (keys: string) => child.stdin.write(keys),
    /** What was shown, without colours, and without the frames of the spinner but the last. */
    screen: () =>
      screen
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a terminal is told
        .replace(/\u001b\[[?\d;]*[a-zA-Z]/g, '')
        .replaceAll('\r\n', '\n'),
    waiting: () => until(() => screen.includes('Waiting for you'), 'it waits'),
  };
}

describe('the program', () => {
  test('reports success when access is allowed, and Sendgate starts with the stored tokens', async () => {
    const { tokenFile, env, exited, screen, waiting } = await authorize();
    await waiting();
    expect(screen()).toContain('Open  https://identity.example.com/activate?user_code=SAND-BOXX');
    expect(screen()).toContain('shows the code  SAND-BOXX');
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(0);
    expect(screen()).toContain(`✔ Allowed. The tokens are in ${tokenFile}`);
    expect(screen()).toContain('It works: Constant Contact answers.');
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const tokens = readTokens(tokenFile, oauth.clientId);
    for (const secret of [oauth.clientSecret, tokens?.accessToken ?? '-', tokens?.refreshToken ?? '-']) {
      expect(screen()).not.toContain(secret);
    }

    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    const sendgate = await startProcess(env);
    expect((await fetch(`${sendgate.url}/campaigns/1/sends`)).status).toBe(200);
    expect(await sendgate.stop()).toBe(0);
    expect(sandbox.oauth).toBeDefined();
  });

  test('ends at once on Ctrl-C, and stores nothing', async () => {
    const { exited, screen, type, tokenFile, waiting } = await authorize();
    await waiting();
    type('\u0003');
    expect(await exited).toBe(130);
    expect(screen()).toContain('Cancelled: nothing is stored.');
    expect(existsSync(tokenFile)).toBe(false);
  });

  test('stores granted tokens on Ctrl-C while it waits for the lock, and reports that', async () => {
    const { exited, screen, type, waiting, tokenFile } = await authorize();
    await waiting();
    const release = await lock(`${tokenFile}.lock`, 100);
    sandbox.fault({ kind: 'hang' });
    const before = sandbox.tokenCallCount;
    sandbox.oauth?.decide('approve');
    await until(() => sandbox.tokenCallCount > before && sandbox.tokenCallsRunning === 0, 'it is granted');
    await new Promise((resolve) => setTimeout(resolve, 200)); // The answer is read, and the lock is waited for.
    type('\u0003');
    await new Promise((resolve) => setTimeout(resolve, 200));
    release?.();
    await until(() => sandbox.calls.length > 0, 'it is tried');
    expect(readTokens(tokenFile, oauth.clientId)).toBeDefined();
    type('\u0003');
    expect(await exited).toBe(130);
    expect(screen()).toContain('Cancelled: the tokens are stored.');
  });

  test.each([
    ['a client that is unknown', { CONSTANT_CONTACT_CLIENT_ID: 'another-client' }, 1, 'does not know this client'],
    ['no client', { CONSTANT_CONTACT_CLIENT_ID: '' }, 78, 'CONSTANT_CONTACT_CLIENT_ID: is missing'],
    ['a file that cannot be written', { CONSTANT_CONTACT_TOKEN_FILE: '/no/such/folder/t' }, 78, 'cannot be written'],
    ['v2', { CONSTANT_CONTACT_API: 'v2', CONSTANT_CONTACT_API_KEY: 'a-v2-api-key' }, 78, 'Only v3 is authorized'],
  ])('refuses to start with %s', async (_, env, code, text) => {
    const { exited, screen } = await authorize({}, env);
    expect(await exited).toBe(code);
    expect(screen()).toContain(text);
  });
});

interface Scene {
  readonly oauth?: Partial<SandboxOAuthOptions>;
  /** Called before the first call. */
  readonly before?: (sandbox: Sandbox) => unknown;
  /** Called with every second of waiting, from 1; access is allowed in the first without it. */
  readonly second?: (second: number, sandbox: Sandbox) => void;
  readonly configured?: string;
}

/** One authorization, from its start to its end. */
async function authorization({ oauth: more, before, second, configured }: Scene = {}) {
  const clock = new InstantClock();
  sandbox = await startSandbox({ clock, oauth: { ...oauth, intervalSeconds: 5, ...more } });
  const tokenFile = join(folder, `tokens-${files++}.json`);
  const tokenUrl = `${sandbox.url}/oauth2/default/v1/token`;
  const client = { ...oauth, tokenUrl, userAgent: 'test', timeoutMs: 300 };
  const endpoint = new TokenEndpoint(client);
  const transport = new Transport({
    baseUrl: sandbox.url,
    userAgent: 'test',
    timeoutMs: 300,
    maxResponseBytes: 1_000_000,
  });
  const shown: string[] = [];
  const waits: string[] = [];
  const show = (text: string) => void shown.push(text);
  const waiting = (text: string) => {
    waits.push(text);
    if (second) second(waits.length, sandbox);
    else sandbox.oauth?.decide('approve');
  };
  await before?.(sandbox);
  const run = new Authorization({
    ...{ client, endpoint, transport, tokenFile, configured, clock },
    terminal: { say: show, waiting, succeed: show },
  });
  const { code, text } = await run.run();
  endpoint.close();
  transport.close();
  const tokens = () => readTokens(tokenFile, oauth.clientId);
  const works = () => sandbox.oauth?.takes(tokens()?.accessToken ?? '') === true;
  return { code, text, shown, waits, tokens, works, state: run.state };
}

describe('an authorization', () => {
  test('shows the address, the code and the time left, and no secret', async () => {
    const { code, text, shown, waits, tokens, works } = await authorization();
    expect([code, text]).toEqual([0, 'It works: Constant Contact answers.']);
    expect(shown[0]).toContain('Open  https://identity.example.com/activate?user_code=SAND-BOXX');
    expect(shown[0]).toContain('shows the code  SAND-BOXX');
    expect(waits.slice(0, 3).join()).toMatch(/^(Waiting for you, (10:00|9:5\d) left,?){3}$/);
    expect(works()).toBe(true);
    const { accessToken = '-', refreshToken = '-' } = tokens() ?? {};
    for (const secret of [oauth.clientSecret, accessToken, refreshToken]) {
      expect([text, ...shown].join()).not.toContain(secret);
    }
  });

  test.each([
    ['is denied', { second: (_: number, { oauth }: Sandbox) => oauth?.decide('deny') }, 'Access was denied.'],
    ['comes too late', { oauth: { deviceSeconds: 20 }, second: () => {} }, 'The code has expired.'],
    [
      'is refused with the name of what every object has',
      { oauth: { shape: { answers: 'okta', fields: { error: 'constructor' } } } } satisfies Scene,
      'Constant Contact granted nothing (constructor).',
    ],
  ])('that %s is reported, and stores nothing', async (_, scene, text) => {
    const ended = await authorization(scene);
    expect(ended).toMatchObject({ code: 1, text: expect.stringContaining(text), state: 'waiting' });
    expect(ended.text).toContain('Nothing was stored.');
    expect(ended.tokens()).toBeUndefined();
  });

  test('polls at the given interval, and more slowly after slow_down', async () => {
    const calls: number[] = [];
    const { code, waits } = await authorization({
      second: (second, { oauth, tokenCallCount }) => {
        calls[second] = tokenCallCount;
        if (second === 11) oauth?.decide('slow_down');
        if (second === 16) oauth?.decide('approve');
      },
    });
    expect(code).toBe(0);
    expect(waits).toHaveLength(25); // 5 + 5 + 5 + 10
    // The first call was for the code.
    expect([5, 6, 10, 11, 15, 16, 25].map((second) => calls[second])).toEqual([1, 2, 2, 3, 3, 4, 4]);
  });

  test.each([
    ['an endpoint that is busy at first', { before: (one: Sandbox) => one.fault(busyOnce) }],
    [
      'a connection that breaks meanwhile',
      {
        second: (second: number, one: Sandbox) => {
          if (second === 1) one.fault({ target: 'token', kind: 'reset', times: 1 });
          if (second === 6) one.oauth?.decide('approve');
        },
      },
    ],
  ])('continues after %s', async (_, scene) => {
    expect(await authorization(scene)).toMatchObject({ code: 0, text: expect.stringContaining('It works') });
  });

  test('by a user who may not read reports is explained; the tokens are stored', async () => {
    const { code, text, works } = await authorization({
      before: () => control({ privileges: ['campaign:read', 'campaign:list', 'contacts:list:read'] }),
    });
    expect(code).toBe(1);
    expect(text).toContain('may not read reports (a Campaign Creator may not)');
    expect(text).toContain("allow access as the account's Owner or as an Account Manager");
    expect(text).toContain('The tokens are stored all the same.');
    expect(works()).toBe(true);
    expect(sandbox.calls.map(({ path }) => path)).toEqual(['/v3/account/user/privileges']);
  });

  test.each([
    ['none', []],
    ['what has no names', [{ name: 7 }]],
  ])('works if the list of privileges is unreadable: %s', async (_, privileges) => {
    const before = () => control({ privileges });
    expect(await authorization({ before })).toMatchObject({ code: 0, text: expect.stringContaining('It works') });
  });

  test.each([
    ['malformed', {}, 0, 'It works'],
    ['status', { status: 403 }, 1, 'refuses the first call (403)'],
    ['status', { status: 401 }, 1, 'refuses the first call (401)'],
    ['status', { status: 500 }, 0, 'gave no answer to try them with'],
    ['over-qps', {}, 0, 'gave no answer to try them with'],
    ['reset', {}, 0, 'gave no answer to try them with'],
    ['hang', {}, 0, 'gave no answer to try them with'],
    ['access-denied', {}, 1, 'may not read reports (a Campaign Creator may not)'],
  ] as const)('says what is known when the first call meets a %s %j', async (kind, more, code, text) => {
    const ended = await authorization({ before: (one) => one.fault({ kind, ...more, times: 1 }) });
    expect(ended).toMatchObject({ code, text: expect.stringContaining(text), state: 'stored' });
    expect(ended.tokens()).toBeDefined();
    if (code === 1) expect(ended.text).toContain('The tokens are stored');
  });

  test.each([
    ['campaign_id_xrefs', 0, 'It works'],
    ['/v3/', 1, 'refuses the first call (403)'],
  ])('works if the path for v2 ids is gone, and fails if all paths are: %s', async (path, code, text) => {
    const ended = await authorization({ before: (one) => one.fault({ kind: 'forbidden', path }) });
    expect(ended).toMatchObject({ code, text: expect.stringContaining(text) });
  });

  test("by a grant in Okta's form works", async () => {
    const ended = await authorization({
      oauth: { shape: { answers: 'okta', oddities: ['id-token-broken'] } },
    });
    expect(ended).toMatchObject({ code: 0, text: expect.stringContaining('It works') });
    expect(ended.shown.join()).not.toContain('eyJ');
  });

  /** Allowed, with the answers from then on of this shape. */
  const allowedWith = (shape: TokenShape) => (second: number, one: Sandbox) => {
    if (second > 1) return;
    one.oauth?.decide('approve');
    one.oauth?.shape(shape);
  };

  test('by a grant without an access token requests one', async () => {
    const { code, text, works } = await authorization({
      second: allowedWith({ oddities: ['access-missing'], fields: { hint: 1 }, times: 1 }),
    });
    expect([code, text]).toEqual([0, expect.stringContaining('It works')]);
    expect(works()).toBe(true);
  });

  test('by repeated grants without an access token reports that the tokens are stored', async () => {
    const { code, text, tokens } = await authorization({ second: allowedWith({ oddities: ['access-missing'] }) });
    expect(code).toBe(1);
    expect(text).toContain('no usable access token yet (no-access-token). They are stored');
    expect(tokens()).toBeDefined();
  });

  test('without a refresh token stores nothing, and explains why', async () => {
    const { code, text, state } = await authorization({
      second: (_, one) => {
        one.oauth?.decide('approve');
        one.oauth?.shape({ answers: 'minimal', fields: { refresh_token: null } });
      },
    });
    expect([code, state]).toEqual([1, 'storing']);
    expect(text).toContain('No refresh token came');
  });

  test('is kept apart from the chain of a configured refresh token', async () => {
    const { tokens } = await authorization({ configured: 'configured' });
    expect(tokens()?.beganWith).toBe(sha256('configured'));
  });
});

const busyOnce: Fault = { target: 'token', kind: 'over-qps', times: 1 };
/** As another process tells the sandbox. */
const control = (order: object) => fetch(`${sandbox.url}/_sandbox`, { method: 'POST', body: JSON.stringify(order) });

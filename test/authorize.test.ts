/**
 * `npm run authorize` as a person meets it: in a terminal (util-linux's `script` makes one), against the sandbox.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import type { SandboxOAuthOptions } from '../src/sandbox/oauth/oauth-server.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { lock } from '../src/storage/file-lock.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import { type Environment, oauth, startProcess, startSandbox, until, upstreamEnv } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-authorize-'));
afterAll(() => rmSync(folder, { recursive: true }));
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

describe('a person', () => {
  test('who approves is told that it works, and Sendgate starts with what was stored', async () => {
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

  test('who denies, or takes too long, is told so, and nothing is stored', async () => {
    const denied = await authorize();
    await denied.waiting();
    sandbox.oauth?.decide('deny');
    expect(await denied.exited).toBe(1);
    expect(denied.screen()).toContain('Access was denied, so nothing is stored.');
    expect(existsSync(denied.tokenFile)).toBe(false);
    await sandbox.stop();

    const late = await authorize({ deviceSeconds: 2 });
    expect(await late.exited).toBe(1);
    expect(late.screen()).toContain('The code has expired, so nothing is stored.');
    expect(existsSync(late.tokenFile)).toBe(false);
  });

  test('who presses Ctrl-C is let go at once, and nothing is stored', async () => {
    const { exited, screen, type, tokenFile, waiting } = await authorize();
    await waiting();
    type('\u0003');
    expect(await exited).toBe(130);
    expect(screen()).toContain('Cancelled: nothing is stored.');
    expect(existsSync(tokenFile)).toBe(false);
  });
});

test('it asks no more often than it is told, and more slowly when it is told to slow down', async () => {
  const { exited, waiting } = await authorize();
  await waiting();
  const calls = () => sandbox.tokenCallCount;
  await until(() => calls() === 3, 'it has asked twice'); // The first call was for the code.
  sandbox.oauth?.decide('slow_down');
  await until(() => calls() === 4, 'it is told to slow down');
  const toldAt = performance.now();
  sandbox.oauth?.decide('approve');
  expect(await exited).toBe(0);
  expect(performance.now() - toldAt).toBeGreaterThan(5_900);
  expect(calls()).toBe(5);
});

test('an endpoint that is busy at first does not end it', async () => {
  const { exited, waiting } = await authorize();
  sandbox.fault({ target: 'token', kind: 'over-qps', times: 1 });
  await waiting();
  sandbox.oauth?.decide('approve');
  expect(await exited).toBe(0);
});

test('a connection that breaks meanwhile does not end it', async () => {
  const { exited, waiting } = await authorize();
  await waiting();
  sandbox.fault({ target: 'token', kind: 'reset', times: 1 });
  const before = sandbox.tokenCallCount;
  await until(() => sandbox.tokenCallCount > before, 'it has asked');
  sandbox.oauth?.decide('approve');
  expect(await exited).toBe(0);
});

test('a first call that is refused is told, with what to look at', async () => {
  const { exited, screen, waiting } = await authorize();
  sandbox.fault({ kind: 'status', status: 403 });
  await waiting();
  sandbox.oauth?.decide('approve');
  expect(await exited).toBe(1);
  expect(screen()).toContain('Constant Contact refuses the first call (403)');
});

/** As another process tells the sandbox. */
const control = (order: object) => fetch(`${sandbox.url}/_sandbox`, { method: 'POST', body: JSON.stringify(order) });

describe('the user who allowed access', () => {
  const campaignCreator = ['campaign:read', 'campaign:list', 'contacts:list:read'];

  test('and may not read reports is told so in words; the tokens are stored all the same', async () => {
    const { exited, screen, waiting, tokenFile } = await authorize();
    await control({ privileges: campaignCreator });
    await waiting();
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(1);
    expect(screen()).toContain('may not read reports (a Campaign Creator may not)');
    expect(screen()).toContain("allow access as the account's Owner or as an Account Manager");
    expect(screen()).toContain('The tokens are stored all the same.');
    expect(screen()).not.toContain('It works');
    expect(sandbox.oauth?.takes(readTokens(tokenFile, oauth.clientId)?.accessToken ?? '')).toBe(true);
    expect(sandbox.calls.map(({ path }) => path)).toEqual(['/v3/account/user/privileges']);
  });

  test.each([
    ['none', []],
    ['what has no names', [{ name: 7 }]],
  ])('is told that it works where the list says nothing: %s', async (_, privileges) => {
    const { exited, screen, waiting } = await authorize();
    await control({ privileges });
    await waiting();
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(0);
    expect(screen()).toContain('It works');
  });

  test.each([
    ['malformed', {}, 0, 'It works'],
    ['status', { status: 401 }, 1, 'refuses the first call (401)'],
    ['status', { status: 500 }, 0, 'could not be tried just now; the tokens are good'],
    ['over-qps', {}, 0, 'could not be tried just now; the tokens are good'],
    ['reset', {}, 0, 'could not be tried just now; the tokens are good'],
    ['hang', {}, 0, 'could not be tried just now; the tokens are good'],
    ['access-denied', {}, 1, 'may not read reports (a Campaign Creator may not)'],
  ] as const)('is told what is known when the call for the list meets a %s %j', async (kind, more, code, text) => {
    const { exited, screen, waiting, tokenFile } = await authorize(
      {},
      { SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '1000' },
    );
    sandbox.fault({ kind, ...more, times: 1 });
    await waiting();
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(code);
    expect(screen()).toContain(text);
    expect(readTokens(tokenFile, oauth.clientId)).toBeDefined();
    if (code === 1) expect(screen()).toContain('The tokens are stored');
  });
});

test.each([
  ['campaign_id_xrefs', 0, 'It works'],
  ['/v3/', 1, 'refuses the first call (403)'],
])('it works, too, when the path for v2 ids has been removed, and not when all have: %s', async (path, code, text) => {
  const { exited, screen, waiting } = await authorize();
  sandbox.fault({ kind: 'forbidden', path });
  await waiting();
  sandbox.oauth?.decide('approve');
  expect(await exited).toBe(code);
  expect(screen()).toContain(text);
});

describe('a grant', () => {
  test("in Okta's form is stored and works", async () => {
    const { exited, screen, waiting } = await authorize();
    await waiting();
    await control({ tokens: { answers: 'okta', oddities: ['id-token-broken'] } });
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(0);
    expect(screen()).toContain('It works');
    expect(screen()).not.toContain('eyJ');
  });

  test('without an access token is stored, and one is asked for', async () => {
    const { exited, screen, waiting, tokenFile } = await authorize();
    await waiting();
    sandbox.oauth?.shape({ oddities: ['access-missing'], fields: { hint: 1 } });
    sandbox.oauth?.decide('approve');
    await until(() => readTokens(tokenFile, oauth.clientId) !== undefined, 'it is stored');
    sandbox.oauth?.shape({});
    expect(await exited).toBe(0);
    expect(screen()).toContain('It works');
    expect(sandbox.oauth?.takes(readTokens(tokenFile, oauth.clientId)?.accessToken ?? '')).toBe(true);
  });

  test('without an access token time after time is kept, which is told', async () => {
    const { exited, screen, waiting, tokenFile } = await authorize();
    await waiting();
    sandbox.oauth?.shape({ oddities: ['access-missing'] });
    sandbox.oauth?.decide('approve');
    expect(await exited).toBe(1);
    expect(screen()).toContain('no access token that can be used yet (no-access-token). They are kept');
    expect(readTokens(tokenFile, oauth.clientId)).toBeDefined();
  });

  test('is stored although somebody presses Ctrl-C while the lock is waited for, and says so afterwards', async () => {
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
});

describe('before anybody is asked', () => {
  test.each([
    ['a client that is unknown', { CONSTANT_CONTACT_CLIENT_ID: 'another-client' }, 1, 'does not know this client'],
    ['no client', { CONSTANT_CONTACT_CLIENT_ID: '' }, 78, 'CONSTANT_CONTACT_CLIENT_ID: is missing'],
    ['a file that cannot be written', { CONSTANT_CONTACT_TOKEN_FILE: '/no/such/folder/t' }, 78, 'cannot be written'],
    ['v2', { CONSTANT_CONTACT_API: 'v2', CONSTANT_CONTACT_API_KEY: 'a-v2-api-key' }, 78, 'Only v3 is authorized'],
  ])('%s is told', async (_, env, code, text) => {
    const { exited, screen } = await authorize({}, env);
    expect(await exited).toBe(code);
    expect(screen()).toContain(text);
  });
});

/**
 * Whatever the token endpoint responds: a refresh token in it is stored, and the account kept.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { listen } from '../src/http/server.ts';
import type { SandboxOAuthOptions } from '../src/sandbox/oauth/oauth-server.ts';
import type { TokenOddity, TokenShape } from '../src/sandbox/oauth/token-shape.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { untilDecided } from '../src/upstream/oauth/device-flow.ts';
import { storeTokens } from '../src/upstream/oauth/persist.ts';
import { type RefreshOrder, refreshTokens as refresh } from '../src/upstream/oauth/refresh.ts';
import { type StoredTokens, toStored } from '../src/upstream/oauth/stored-tokens.ts';
import { TokenEndpoint } from '../src/upstream/oauth/token-endpoint.ts';
import { readTokens, writeTokens } from '../src/upstream/oauth/token-file.ts';
import { ForwardClock } from './support/clock.ts';
import {
  type Environment,
  oauth,
  startInstance,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-answers-'));
let files = 0;

const running: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop();
});

const fileName = () => join(folder, `tokens-${files++}.json`);
const orderTo = (url: string, more: Partial<RefreshOrder> = {}): RefreshOrder => ({
  ...oauth,
  tokenUrl: `${url}/oauth2/default/v1/token`,
  tokenFile: fileName(),
  userAgent: 'test',
  timeoutMs: 2_000,
  ...more,
});
/** Without the second between two tries. */
const refreshTokens = (order: RefreshOrder) => refresh(order, { wait: async () => {} });
const stored = ({ tokenFile, clientId }: RefreshOrder) => readTokens(tokenFile, clientId);

let sandbox: Sandbox;
async function orderToSandbox(options: Partial<SandboxOAuthOptions> = {}): Promise<RefreshOrder> {
  sandbox = await startSandbox({ oauth: { ...oauth, ...options } });
  running.push(() => sandbox.stop());
  return orderTo(sandbox.url);
}

const renewed = { outcome: 'renewed' };
const failed = (reason: string) => ({ outcome: 'failed', reason });

/** Each shape, and the outcome of a refresh with such a response. */
const shapes: readonly (readonly [string, TokenShape, { readonly outcome: string; readonly reason?: string }])[] = [
  ['as documented', {}, renewed],
  ["as Okta's", { answers: 'okta' }, renewed],
  ['as short as can be', { answers: 'minimal' }, renewed],
  ...(
    [
      'expires-text',
      'expires-missing',
      'expires-negative',
      'expires-huge',
      'scope-list',
      'scope-null',
      'type-missing',
      'type-lower',
      'id-token-broken',
      'nested',
      'byte-order-mark',
      'white-space',
      'long',
    ] satisfies readonly TokenOddity[]
  ).map((name) => [name, { oddities: [name] }, renewed] as const),
  ['of status 201', { status: 201 }, renewed],
  ['of an unknown type', { oddities: ['type-unknown'] }, failed('token-type')],
  ['without an access token', { oddities: ['access-missing'] }, failed('no-access-token')],
  ['with a number as access token', { oddities: ['access-number'] }, failed('no-access-token')],
  ['with an access token that is no header', { fields: { access_token: 'a\r\nb' } }, failed('no-access-token')],
  ['with an error beside the tokens', { oddities: ['with-error'] }, failed('temporarily_unavailable')],
  ['with names that stand twice', { oddities: ['twice-named'] }, failed('no-access-token')],
  ['longer than is read', { oddities: ['endless'] }, failed('too-large')],
  ['of status 400', { status: 400 }, failed('unusable-answer')],
  ['of status 302', { status: 302 }, failed('redirect')],
  ['of status 429', { status: 429 }, failed('throttled')],
  ['of status 503', { status: 503 }, failed('http-5xx')],
  ['that breaks off', { answers: 'okta', oddities: ['cut'] }, failed('ERR_STREAM_PREMATURE_CLOSE')],
  [
    'with everything odd at once',
    { answers: 'okta', oddities: ['expires-text', 'scope-list', 'type-lower', 'white-space'], status: 201 },
    renewed,
  ],
];

describe('a response of the token endpoint', () => {
  test.each(shapes)('%s: the account is kept, and the next refresh works', async (_, shape, outcome) => {
    const first = await orderToSandbox({ shape });
    expect(await refreshTokens(first)).toEqual(outcome);
    const kept = stored(first);
    expect(kept?.refreshToken).toEqual(expect.not.stringContaining(oauth.refreshToken));
    expect(sandbox.oauth?.takes(kept?.accessToken ?? '')).toBe(outcome.outcome === 'renewed');
    // In the same shape once more, and then as documented: each refresh token works once.
    expect(await refreshTokens({ ...first, replaces: kept?.accessToken })).toEqual(outcome);
    sandbox.oauth?.shape({});
    expect(await refreshTokens({ ...first, replaces: stored(first)?.accessToken })).toEqual(renewed);
    expect(sandbox.oauth?.takes(stored(first)?.accessToken ?? '')).toBe(true);
    expect(sandbox.tokenCallCount).toBe(3);
  });

  test.each(shapes)('%s: the account is kept when a person has just allowed access', async (_, shape, outcome) => {
    const { refreshToken: _none, ...first } = await orderToSandbox({ intervalSeconds: 0 });
    const endpoint = new TokenEndpoint(first);
    running.push(async () => endpoint.close());
    const code = await endpoint.deviceCode();
    sandbox.oauth?.decide('approve');
    sandbox.oauth?.shape(shape);
    const grant = await untilDecided(endpoint, code, async () => {});
    expect(grant.reason).toBe(outcome.reason);
    const before = { clientId: first.clientId, refreshToken: grant.refreshToken ?? '', issuedAt: Date.now() };
    expect(await storeTokens(first.tokenFile, toStored(grant, { ...before, beganWith: undefined }))).toBe(true);
    sandbox.oauth?.shape({});
    expect(await refreshTokens({ ...first, replaces: grant.accessToken })).toEqual(renewed);
    expect(sandbox.oauth?.takes(stored(first)?.accessToken ?? '')).toBe(true);
  });

  test('that stalls is abandoned, and the account is kept', async () => {
    const first = {
      ...(await orderToSandbox({ shape: { answers: 'okta', oddities: ['stall'], times: 1 } })),
      bodyMs: 200,
    };
    expect(await refreshTokens(first)).toEqual(failed('timeout'));
    expect(await refreshTokens(first)).toEqual(renewed);
    expect(sandbox.tokenCallCount).toBe(2);
  });

  test('without a usable access token keeps the previous one in use until it expires', async () => {
    const first = await orderToSandbox();
    await refreshTokens(first);
    const before = stored(first) as StoredTokens;
    sandbox.oauth?.shape({ oddities: ['access-missing'] });
    await refreshTokens({ ...first, replaces: before.accessToken });
    const after = stored(first) as StoredTokens;
    const { accessToken, expiresAt } = before;
    expect(after).toMatchObject({ accessToken, expiresAt, replaced: before.refreshToken });
    expect(after.refreshToken).not.toBe(before.refreshToken);
    expect(after.issuedAt).toBeGreaterThan(before.issuedAt);
  });

  test('that is not a grant and has a bad refresh token: the previous refresh token is tried', async () => {
    const first = await orderToSandbox();
    await refreshTokens(first);
    const good = stored(first) as StoredTokens;
    // As a gateway may respond without asking the server.
    const gateway = http.createServer((_, res) => res.writeHead(502).end('{"refresh_token":"nobody-knows-it"}'));
    const url = await listen(gateway, '127.0.0.1', 0);
    running.push(() => new Promise((resolve) => gateway.close(resolve)));
    const through = { ...first, tokenUrl: `${url}/oauth2/default/v1/token`, replaces: good.accessToken };
    expect(await refreshTokens(through)).toEqual(failed('http-5xx'));
    expect(stored(first)).toMatchObject({ refreshToken: 'nobody-knows-it', replaced: good.refreshToken });
    expect(await refreshTokens({ ...first, replaces: good.accessToken })).toEqual(renewed);
    expect(stored(first)).not.toHaveProperty('replaced');
  });

  test('without a refresh token keeps the long-lived one', async () => {
    const first = await orderToSandbox({ rotating: false });
    sandbox.oauth?.shape({ answers: 'minimal', fields: { refresh_token: null } });
    expect(await refreshTokens(first)).toEqual(renewed);
    expect(stored(first)).toMatchObject({ refreshToken: oauth.refreshToken });
    expect(await refreshTokens({ ...first, replaces: stored(first)?.accessToken })).toEqual(renewed);
  });

  test.each([
    [3_600, 3_600],
    ['3600', 3_600],
    [' 3600.5 ', 3_600.5],
    [0.25, 1],
    [86_400, 86_400],
    [86_401, 86_400],
    [0, 86_400],
    [-5, 86_400],
    ['soon', 86_400],
    ['1e3', 86_400],
    [null, 86_400],
    [true, 86_400],
    [[3_600], 86_400],
  ])('gets a lifetime from a second to a day, and the documented day without one: %j', async (expires_in, seconds) => {
    const first = await orderToSandbox({ shape: { fields: { expires_in } } });
    expect(await refreshTokens(first)).toEqual(renewed);
    const { issuedAt, expiresAt } = stored(first) as StoredTokens;
    expect(expiresAt - issuedAt).toBe(seconds * 1000);
  });

  test('with a usable refresh token stores it, whatever else the response contains', async () => {
    let answer = { status: 200, type: '', text: '' };
    const server = http.createServer((_, res) => {
      res.writeHead(answer.status, { 'content-type': answer.type }).end(answer.text);
    });
    const url = await listen(server, '127.0.0.1', 0);
    running.push(() => new Promise((resolve) => server.close(resolve)));
    const token = fc.string({
      unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
      minLength: 1,
    });
    const names = [
      'access_token',
      'token_type',
      'expires_in',
      'scope',
      'id_token',
      'error',
      '__proto__',
      'refresh',
      'x',
    ];
    const value = fc.oneof(
      fc.jsonValue(),
      fc.string(),
      fc.constantFrom('bearer', 'invalid_grant', 1e308, '"refresh_token":"x"'),
    );
    const fields = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 8 });
    const space = fc.constantFrom('', ' ', '\n\t', '\r\n');
    await fc.assert(
      fc.asyncProperty(
        ...([token, fields, fields, space, fc.boolean(), fc.integer({ min: 200, max: 599 })] as const),
        async (refreshToken, before, after, blank, hasMark, status) => {
          const all = [...before, ['refresh_token', refreshToken] as const, ...after];
          const members = all.map(([name, one]) => `${JSON.stringify(name)}${blank}:${blank}${JSON.stringify(one)}`);
          const text = `${hasMark ? '\ufeff' : ''}${blank}{${blank}${members.join(`${blank},${blank}`)}}${blank}`;
          answer = {
            status: [204, 205, 304].includes(status) ? 200 : status,
            type: blank ? 'text/html' : 'application/json',
            text,
          };
          const order = orderTo(url);
          await refreshTokens(order);
          expect(stored(order)?.refreshToken).toBe(refreshToken);
        },
      ),
      { numRuns: 200 },
    );
  });

  test.each([
    ['a list', '[{"refresh_token":"x"}]'],
    ['in HTML', '<script>{"refresh_token":"x"}</script>'],
    ['of another object', '{"data":{"refresh_token":"x"}'],
    ['in a text', '{"message":"{\\"refresh_token\\":\\"x\\"}","more":'],
    ['that is empty', '{"refresh_token":""}'],
    ['with a line end', '{"refresh_token":"a\\nb"}'],
    ['that is not whole', '{"access_token":"a","refresh_token":"b'],
    ['that is no text', '{"refresh_token":{"refresh_token":"x"}}'],
  ])('yields no refresh token %s', async (_, text) => {
    const server = http.createServer((_, res) => res.end(text));
    const url = await listen(server, '127.0.0.1', 0);
    running.push(() => new Promise((resolve) => server.close(resolve)));
    const order = orderTo(url);
    expect(await refreshTokens(order)).toEqual(failed('unusable-answer'));
    expect(stored(order)).toBeUndefined();
  });
});

describe('the device flow', () => {
  test.each([
    ['has a secret, which is for refreshes', true],
    ['has no secret', false],
  ])("goes by the client's id alone where the application %s", async (_, hasSecret) => {
    const { clientSecret, ...rest } = oauth;
    const client = hasSecret ? oauth : rest;
    sandbox = await startSandbox({ oauth: { ...client, intervalSeconds: 0 } });
    running.push(() => sandbox.stop());
    const { clientSecret: _secret, ...order } = orderTo(sandbox.url);
    const endpoint = new TokenEndpoint(hasSecret ? { ...order, clientSecret } : order);
    running.push(async () => endpoint.close());
    const code = await endpoint.deviceCode();
    sandbox.oauth?.decide('approve');
    const { refreshToken = '' } = await untilDecided(endpoint, code, async () => {});
    expect((await endpoint.refresh(refreshToken)).refreshToken).toEqual(expect.any(String));
  });
});

describe('the code of a device flow', () => {
  test.each([
    ['as documented', {}, 5, 600],
    ['with numbers as texts', { interval: '7', expires_in: '120' }, 7, 120],
    ['without either', { interval: undefined, expires_in: undefined }, 5, 600],
    ['with absurd ones', { interval: -1, expires_in: 'soon' }, 5, 600],
    ['with endless ones', { interval: 1e9, expires_in: 1e9 }, 60, 3_600],
    ['with more than is asked', { token_type: 'x', scope: ['a'], status: 201 }, 5, 600],
  ])('is read %s', async (_, fields, intervalSeconds, expiresInSeconds) => {
    const order = await orderToSandbox({ shape: { fields, status: 201 } });
    const endpoint = new TokenEndpoint(order);
    running.push(async () => endpoint.close());
    expect(await endpoint.deviceCode()).toMatchObject({
      verificationUri: 'https://identity.example.com/activate?user_code=SAND-BOXX',
      userCode: 'SAND-BOXX',
      intervalSeconds,
      expiresInSeconds,
    });
    sandbox.oauth?.shape({ oddities: ['url-named'], fields: { verification_url_complete: undefined } });
    expect(await endpoint.deviceCode()).toMatchObject({ verificationUri: 'https://identity.example.com/activate' });
  });

  test.each([
    { verification_uri_complete: 'javascript:alert(1)', verification_uri: null },
    { user_code: '\u001b[2J' },
    { device_code: 7 },
  ])('is rejected if it cannot be shown or used: %j', async (fields) => {
    const endpoint = new TokenEndpoint(await orderToSandbox({ shape: { fields } }));
    running.push(async () => endpoint.close());
    await expect(endpoint.deviceCode()).rejects.toMatchObject({ reason: 'unusable-answer' });
  });
});

describe('a process that is killed', () => {
  const tokens = (name: string, issuedAt: number): StoredTokens => ({
    clientId: oauth.clientId,
    accessToken: `access ${name}`,
    refreshToken: `refresh ${name}`,
    issuedAt,
    expiresAt: issuedAt + 60_000,
  });

  test('between writing and renaming the token file leaves the tokens to the next process', async () => {
    const { refreshToken: _, ...order } = await orderToSandbox();
    writeTokens(order.tokenFile, tokens('old', Date.now() - 1_000));
    writeFileSync(`${order.tokenFile}.new`, JSON.stringify(tokens('new', Date.now())));
    expect(await refreshTokens({ ...order, replaces: 'access old' })).toEqual(renewed);
    expect(stored(order)?.refreshToken).toBe('refresh new');
    expect(sandbox.tokenCallCount).toBe(0);
    expect(
      readdirSync(folder).filter((name) => order.tokenFile.endsWith(name.slice(0, 13)) && name.length > 20),
    ).toEqual([]);
  });

  test.each([
    ['half of them', (text: string) => text.slice(0, 40)],
    ['earlier ones', () => JSON.stringify(tokens('old', 1))],
    ['those of another application', (text: string) => text.replace(oauth.clientId, 'other')],
  ])('and leaves %s behind does no harm', async (_, edit) => {
    const { refreshToken: _none, ...order } = await orderToSandbox();
    const present = tokens('present', Date.now());
    writeTokens(order.tokenFile, present);
    writeFileSync(`${order.tokenFile}.new`, edit(JSON.stringify(tokens('new', Date.now() + 1_000))));
    expect(await refreshTokens(order)).toEqual(renewed);
    expect(stored(order)).toEqual(present);
  });

  const mainFile = fileURLToPath(new URL('../dist/upstream/oauth/refresh-main.js', import.meta.url));

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'with %s, as by a service manager, completes its refresh',
    async (signal) => {
      const order = await orderToSandbox({ delayMs: 400, shape: { answers: 'okta' } });
      const child: ChildProcess = spawn(process.execPath, [mainFile], { stdio: ['pipe', 'pipe', 'inherit'] });
      let said = '';
      child.stdout?.on('data', (part) => {
        said += part;
      });
      child.stdin?.end(JSON.stringify(order));
      await until(() => sandbox.tokenCallsRunning > 0, 'the refresh token is spent');
      child.kill(signal);
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(JSON.parse(said)).toEqual(renewed);
      expect(stored(order)?.refreshToken).not.toBe(oauth.refreshToken);
    },
  );

  test('with -9 at any moment of a refresh with an id_token keeps the account', async () => {
    const delayMs = 300;
    await orderToSandbox({ delayMs, accessTokenSeconds: 2, shape: { answers: 'okta' } });
    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    const env = upstreamEnv(sandbox, 'v3');
    const isAnswered = () => sandbox.tokenCallsRunning === 0;
    const moments: (readonly [number, () => boolean])[] = [
      [0, () => true],
      [delayMs / 2, () => true],
      [0, isAnswered], // The response is in flight.
      [5, isAnswered],
    ];
    for (const [ms, hasCome] of moments) {
      const before = sandbox.tokenCallCount;
      const sendgate = await startProcess(env);
      await until(() => sandbox.tokenCallCount > before, 'it refreshes');
      await until(hasCome, 'the moment has come');
      await new Promise((resolve) => setTimeout(resolve, ms));
      sendgate.child.kill('SIGKILL');
      await once(sendgate.child, 'close');
    }
    const survivor = await startProcess(env);
    running.push(() => survivor.stop());
    const path = `${survivor.url}/campaigns/${activityIdOf('1')}/sends`;
    await until(async () => (await fetch(path)).status === 200, 'it answers');
    expect(survivor.output()).not.toContain('token.refused');
  });
});

test('Sendgate survives odd token responses and restarts, and logs nothing of their content', async () => {
  const clock = new ForwardClock();
  sandbox = await startSandbox({ clock, oauth: { ...oauth, accessTokenSeconds: 60 } });
  running.push(() => sandbox.stop());
  sandbox.campaign({ id: '1', size: 3, newestMs: clock.now() });
  const tokenFile = fileName();
  const env: Environment = { CONSTANT_CONTACT_TOKEN_FILE: tokenFile, SENDGATE_LOG_LEVEL: 'trace' };
  const secrets = new Set<string>();
  const told: string[] = [];
  for (const shape of [
    { answers: 'okta', times: 2 },
    { answers: 'okta', oddities: ['access-missing', 'nested'], times: 1 },
    { answers: 'okta', oddities: ['cut'], times: 1 },
    { fields: { error: 'a_code_of_the_server', hint: 'S3cret-hint' }, times: 1 },
  ] satisfies TokenShape[]) {
    sandbox.oauth?.shape(shape);
    const before = sandbox.tokenCallCount;
    const it = await startInstance(sandbox, clock, env, 'v3');
    await until(async () => {
      clock.forward(61); // The token has expired, and so has every back-off.
      const answer = await it.get(`/campaigns/${activityIdOf('1')}/sends`, { 'cache-control': 'no-cache' });
      told.push(JSON.stringify([...answer.headers]), await answer.text());
      const { accessToken = '', refreshToken = '' } = readTokens(tokenFile, oauth.clientId) ?? {};
      for (const secret of [accessToken, refreshToken]) if (secret) secrets.add(secret);
      return answer.status === 200 && sandbox.tokenCallCount >= before + shape.times + 1;
    }, 'it answers after them');
    told.push(await (await fetch(`${it.service.managementUrl}/metrics`)).text());
    await it.close();
    told.push(...it.lines);
    expect(it.lines.join('')).not.toContain('"event":"token.refused"');
  }
  expect(secrets.size).toBeGreaterThan(6);
  const everything = told.join('\n');
  for (const secret of [...secrets, 'eyJ', 'S3cret-hint', 'of-somebody-else']) expect(everything).not.toContain(secret);
}, 60_000);

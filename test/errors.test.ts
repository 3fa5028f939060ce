/**
 * Every row of the error table, produced by a fault of the sandbox, against the process that runs in production:
 * so that all of its stdout and stderr can be searched for what must not be there.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Fault } from '../src/sandbox/fault.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';
import {
  accessToken,
  api,
  apiKey,
  cursorOf,
  idOf,
  oauth,
  type SendgateProcess,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';

let sandbox: Sandbox;
let sendgate: SendgateProcess;
let tokenFile: string;
let next = 1000;

/** Everything that callers were told, to be searched at the end. */
const told: string[] = [];

beforeAll(async () => {
  sandbox = await startSandbox();
  const env = upstreamEnv(sandbox);
  tokenFile = env['CONSTANT_CONTACT_TOKEN_FILE'] ?? '';
  sendgate = await startProcess({
    ...env,
    SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '2000',
    SENDGATE_CONSTANT_CONTACT_DEADLINE_MS: '15000',
    SENDGATE_CONSTANT_CONTACT_MAX_RESPONSE_BYTES: '1048576',
    SENDGATE_CONSTANT_CONTACT_CREDENTIALS_RETRY_SECONDS: '1',
    SENDGATE_CONSTANT_CONTACT_BREAKER_FAILURES: '10000',
    SENDGATE_CONSTANT_CONTACT_RETRY_PERCENT: '100',
    SENDGATE_LOG_LEVEL: 'trace',
  });
});
afterEach(() => sandbox.heal());
afterAll(async () => {
  const code = await sendgate.stop();
  await sandbox.stop();
  expect(code).toBe(0);
});

/** Whether a call is the neutral one, by which Sendgate learns whether a failure is everybody's. */
const isProbe = (path: string) => path === '/v2/emailmarketing/campaigns' || path === '/v3/account/user/privileges';
/** Credentials are probed once in this time: credentialsRetrySeconds. */
const untilProbed = () => new Promise((resolve) => setTimeout(resolve, 1_050));

/** Asks for a page of a campaign that nobody has asked for yet. */
async function ask(search = '', known = true) {
  const id = String(next++);
  if (known) sandbox.campaign({ id, size: 10, newestMs: Date.now() });
  sandbox.forget();
  const answer = await fetch(`${sendgate.url}/campaigns/${idOf(id)}/sends${search}`);
  const text = await answer.text();
  told.push(text, JSON.stringify([...answer.headers]));
  const calls = sandbox.calls.filter(({ path }) => !isProbe(path)).length;
  return { status: answer.status, headers: answer.headers, body: JSON.parse(text), calls };
}

const readiness = async () => (await fetch(`${sendgate.managementUrl}/readyz`)).json();

interface Row {
  readonly name: string;
  readonly fault: Fault;
  readonly status: number;
  readonly type: string;
  readonly calls: number;
  readonly search?: string;
}

const rows: Row[] = [
  {
    name: 'a cursor refused',
    fault: { kind: 'status', status: 400 },
    status: 400,
    type: 'invalid-cursor',
    calls: 1,
    search: `?next=${cursorOf('old')}`,
  },
  {
    name: 'a first page refused as a bad request',
    fault: { kind: 'status', status: 400 },
    status: 502,
    type: 'upstream-failed',
    calls: 1,
  },
  { name: 'a broken upstream', fault: { kind: 'status', status: 500 }, status: 502, type: 'upstream-failed', calls: 3 },
  {
    name: 'an upstream in maintenance',
    fault: { kind: 'status', status: 503 },
    status: 502,
    type: 'upstream-failed',
    calls: 3,
  },
  { name: 'a 406', fault: { kind: 'status', status: 406 }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'HTML of a gateway', fault: { kind: 'html' }, status: 502, type: 'upstream-failed', calls: 3 },
  {
    name: 'an error that echoes the URL with the key',
    fault: { kind: 'echo' },
    status: 502,
    type: 'upstream-failed',
    calls: 3,
  },
  { name: 'malformed JSON', fault: { kind: 'malformed' }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'the wrong schema', fault: { kind: 'wrong-schema' }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'an empty body', fault: { kind: 'empty' }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'a redirect', fault: { kind: 'redirect' }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'a body over the bound', fault: { kind: 'oversize' }, status: 502, type: 'upstream-failed', calls: 1 },
  { name: 'a reset', fault: { kind: 'reset' }, status: 502, type: 'upstream-failed', calls: 3 },
  { name: 'a reset in mid-body', fault: { kind: 'reset-mid-body' }, status: 502, type: 'upstream-failed', calls: 3 },
  { name: 'no answer', fault: { kind: 'hang' }, status: 504, type: 'upstream-timeout', calls: 1 },
  { name: 'half an answer', fault: { kind: 'hang-mid-body' }, status: 504, type: 'upstream-timeout', calls: 1 },
  {
    name: 'the per-second limit, again and again',
    fault: { kind: 'over-qps' },
    status: 503,
    type: 'upstream-busy',
    calls: 3,
  },
];

describe('a caller gets', () => {
  test.each(rows)('$status $type for $name', async ({ fault, status, type, calls, search }) => {
    sandbox.fault(fault);
    const answer = await ask(search);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('retry-after')).toBe(type === 'upstream-busy' ? '1' : null);
    expect(answer.body).toEqual({
      type: `/problems/${type}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: answer.headers.get('x-request-id'),
    });
    expect(answer.calls).toBe(calls);
  });

  test('404 campaign-not-found for an unknown campaign', async () => {
    const answer = await ask('', false);
    expect(answer.status).toBe(404);
    expect(answer.body.type).toBe('/problems/campaign-not-found');
    // With v3 a UUID may be a campaign's or an activity's.
    expect(answer.calls).toBe(api === 'v3' ? 2 : 1);
  });

  test.each([
    ['401', 401, 2],
    ['403 that is no limit', 403, 1],
  ])('502 upstream-credentials-refused for a %s, without another call at once', async (_, status, calls) => {
    await untilProbed();
    sandbox.fault({ kind: 'status', status });
    const answer = await ask();
    expect(answer.status).toBe(502);
    expect(answer.body.type).toBe('/problems/upstream-credentials-refused');
    expect(answer.calls).toBe(calls);
    expect((await ask()).calls).toBe(0);
    expect(await readiness()).toEqual({ status: 'degraded', upstream: 'credentials-refused' });
    expect((await fetch(`${sendgate.managementUrl}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${sendgate.managementUrl}/metrics`)).text();
    expect(metrics).toContain('sendgate_upstream_credentials_refused 1');
    await until(() => sendgate.output().includes('"level":"error"'), 'the log tells it as an error');

    sandbox.heal();
    await until(async () => (await readiness()).status === 'ready', 'a probe is answered');
    expect(await readiness()).toEqual({ status: 'ready', upstream: 'ok' });
    expect((await ask()).status).toBe(200);
  });

  test('200 after a transient 401, as over the limit', async () => {
    sandbox.fault({ kind: 'status', status: 401, times: 1 });
    expect(await ask()).toMatchObject({ status: 200, calls: 2 });
  });

  test.each(['reset', 'html', 'over-qps'] as const)('200 after a transient %s', async (kind) => {
    sandbox.fault({ kind, times: 2 });
    expect(await ask()).toMatchObject({ status: 200, calls: 3 });
  });

  test("503 upstream-quota-exhausted, until midnight, when the day's quota is spent", async () => {
    sandbox.fault({ kind: 'over-ratelimit' });
    for (const calls of [1, 0]) {
      const answer = await ask();
      const untilMidnight = Math.ceil((86_400_000 - (Date.now() % 86_400_000)) / 1000);
      expect(answer.status).toBe(503);
      expect(answer.body.type).toBe('/problems/upstream-quota-exhausted');
      expect(Math.abs(Number(answer.headers.get('retry-after')) - untilMidnight)).toBeLessThanOrEqual(1);
      expect(answer.calls).toBe(calls);
    }
    expect(await readiness()).toEqual({ status: 'degraded', upstream: 'quota-exhausted' });
  });
});

test('credentials, the upstream and personal data never leak into responses, logs, metrics or stderr', async () => {
  const metrics = await (await fetch(`${sendgate.managementUrl}/metrics`)).text();
  const everything = [...told, metrics, sendgate.output()].join('\n');
  expect(everything).toContain('upstream-failed');
  const tokens = api === 'v3' ? readTokens(tokenFile, oauth.clientId) : undefined;
  const forbidden = [
    ...(tokens ? [tokens.accessToken, tokens.refreshToken] : []),
    apiKey,
    encodeURIComponent(apiKey),
    new URLSearchParams({ k: apiKey }).toString().slice(2),
    accessToken,
    ...Object.values(oauth),
    encodeURIComponent(oauth.clientSecret),
    Buffer.from(`${oauth.clientId}:${oauth.clientSecret}`).toString('base64'),
    'api_key',
    'Bearer',
    sandbox.url,
    '/v2/emailmarketing',
    '/v3/reports',
    'error_key',
    'sandbox.fault',
    'refused: ',
    'Bad Gateway',
    'leak@example.com',
    'elsewhere',
  ];
  for (const text of forbidden) expect(everything).not.toContain(text);
  expect(sendgate.output()).not.toMatch(/@example|next=|created_since/);
});

/**
 * What Constant Contact refuses to all callers, and what operators read of it: an API that is withdrawn, a user who may not
 * read reports.
 */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { errorShapes } from '../src/sandbox/error-shapes.ts';
import type { Fault } from '../src/sandbox/fault.ts';
import { asking, type Version } from './support/asking.ts';
import { cursorOf, type Environment, start, startInstance } from './support/harness.ts';

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

async function up(version: Version, env: Environment = {}) {
  const harness = await start(env, {}, version);
  ending.push(() => harness.close());
  return { ...harness, ...asking(harness, version) };
}

const gone: readonly (readonly [string, Fault])[] = [
  ['400 with a key', { kind: 'gone' }],
  ['410', { kind: 'gone', status: 410 }],
  ['410 without a word of JSON', { kind: 'firewall', status: 410 }],
];

describe.each(['v2', 'v3'] as const)('when %s is withdrawn', (version) => {
  test.each(gone)(
    'reported by %s: the first response shows it, cached pages are served, and calls stop',
    async (_, fault) => {
      const { sandbox, ask, clock, management, told } = await up(version);
      expect((await ask(1)).status).toBe(200);
      clock.forward(61);
      sandbox.fault(fault);
      sandbox.forget();
      const first = await ask(2);
      expect(first).toMatchObject({
        status: 502,
        type: 'upstream-gone',
        detail: expect.stringContaining(`API ${version}`),
      });
      for (let id = 3; id <= 20; id++) expect((await ask(id)).type).toBe('upstream-gone');
      expect((await ask(1)).status).toBe(200);
      expect(sandbox.callCount).toBe(2); // the question, and the probe
      expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'degraded', upstream: 'gone' });
      expect(JSON.parse(await management('/status')).upstream.api).toBe('gone');
      const metrics = await management('/metrics');
      expect(metrics).toContain('sendgate_upstream_gone 1');
      expect(metrics).toContain('sendgate_upstream_calls_total{report="sends",outcome="gone",team="default"} 1');
      expect(metrics).toContain('sendgate_upstream_calls_total{report="probe",outcome="gone",team="(account)"} 1');
      expect(metrics).toContain('sendgate_upstream_credentials_refused 0');
      expect(told('error')).toEqual([
        expect.objectContaining({
          event: 'upstream.gone',
          msg: expect.stringContaining(`has withdrawn its API ${version}`),
        }),
      ]);

      clock.forward(3_601);
      for (let id = 3; id <= 20; id++) expect((await ask(id)).type).toBe('upstream-gone');
      expect(sandbox.callCount).toBe(3);
      sandbox.heal();
      clock.forward(3_601);
      expect((await ask(2)).status).toBe(200);
      expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'ready', upstream: 'ok' });
      expect(told('error')).toHaveLength(1);
      expect(told('info').filter(({ event }) => event === 'upstream.back')).toHaveLength(1);
    },
  );

  test('queued requests are refused at once, for later pages too', async () => {
    const { sandbox, ask, told } = await up(version, {
      SENDGATE_QUOTA_PER_SECOND: '2',
      SENDGATE_QUOTA_PER_DAY: '1000',
    });
    sandbox.fault({ kind: 'gone' });
    const all = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((id) => ask(id, id === 1 ? `?next=${cursorOf('c3RhcnRBdD0z', version)}` : '')),
    );
    expect(all.map(({ type }) => type)).toEqual(Array(6).fill('upstream-gone'));
    expect(sandbox.callCount).toBeLessThanOrEqual(4);
    expect(told('error')).toHaveLength(1);
  });

  test('a restart detects it again with two calls', async () => {
    const env = { CONSTANT_CONTACT_TOKEN_FILE: join(mkdtempSync(join(tmpdir(), 'sendgate-gone-')), 'tokens.json') };
    const { sandbox, clock, ask: before } = await up(version, env);
    expect((await before(1)).status).toBe(200);
    sandbox.fault({ kind: 'gone', status: 410 });
    for (let round = 0; round < 2; round++) {
      sandbox.forget();
      const instance = await startInstance(sandbox, clock, env, version);
      ending.push(() => instance.close());
      const { ask, told } = asking(instance, version);
      expect([(await ask(1)).type, (await ask(2)).type]).toEqual(['upstream-gone', 'upstream-gone']);
      expect([sandbox.callCount, told('error').length]).toEqual([2, 1]);
    }
  });

  test('one refused question fails alone, and is remembered', async () => {
    const { sandbox, ask, management, told } = await up(version);
    sandbox.fault({ kind: 'gone', status: 410, campaign: '1' });
    expect(await ask(1)).toMatchObject({ status: 502, type: 'upstream-failed' });
    const { callCount } = sandbox;
    expect((await ask(1)).type).toBe('upstream-failed');
    expect(sandbox.callCount).toBe(callCount);
    expect((await ask(2)).status).toBe(200);
    expect(await management('/metrics')).toContain('sendgate_upstream_gone 0');
    expect(told('error')).toEqual([]);
  });
});

describe.each((['v2', 'v3'] as const).flatMap((version) => errorShapes.map((errorAs) => ({ version, errorAs }))))(
  'an error that $version writes as $errorAs',
  ({ version, errorAs }) => {
    test('means what its status says', async () => {
      const { sandbox, ask, management, told, clock } = await up(version, { SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
      expect((await ask(40)).status).toBe(200);
      for (const [id, status, search, type] of [
        [1, 404, '', 'campaign-not-found'],
        [2, 400, '', 'upstream-failed'],
        [3, 400, `?next=${cursorOf('c3RhcnRBdD0z', version)}`, 'invalid-cursor'],
        [4, 401, '', 'upstream-failed'],
        [5, 403, '', 'upstream-failed'],
        [6, 410, '', 'upstream-failed'],
        [7, 429, '', 'upstream-busy'],
        [8, 500, '', 'upstream-failed'],
      ] as const) {
        sandbox.fault({ kind: 'status', status, errorAs, campaign: String(id) });
        expect({ status, type: (await ask(id, search)).type }).toEqual({ status, type });
      }
      expect(JSON.parse(await management('/readyz'))).toEqual({ status: 'ready', upstream: 'ok' });
      expect(told('error')).toEqual([]);
      clock.forward(61); // With nothing answered since, what the last probe has found counts for a minute.
      sandbox.fault({ kind: 'status', status: 403, errorAs });
      expect((await ask(9)).type).toBe('upstream-credentials-refused');
      expect(told('error')).toHaveLength(1);
    });

    if (errorAs === 'array' || errorAs === 'object') {
      test('is read for its key', async () => {
        const { sandbox, ask, told, clock } = await up(version);
        sandbox.fault({ kind: 'access-denied', errorAs, campaign: '1' });
        expect((await ask(1)).type).toBe('upstream-failed');
        expect(told('warn').map(({ outcome }) => outcome)).toEqual(['access-denied']);
        clock.forward(61);
        sandbox.fault({ kind: 'gone', errorAs });
        expect((await ask(2)).type).toBe('upstream-gone');
      });
    }
  },
);

describe.each([
  ['v2', { query: { limit: '1' } }],
  ['v3', { path: '/v3/account/user/privileges' }],
] as const)('a neutral call of %s', (version, neutral) => {
  test.each([400, 404, 406, 409])('with status %d proves the credentials valid', async (status) => {
    const { sandbox, ask, clock } = await up(version);
    sandbox.fault({ kind: 'status', status: 403 });
    expect((await ask(1)).type).toBe('upstream-credentials-refused');
    sandbox.heal();
    sandbox.fault({ kind: 'status', status, ...neutral });
    clock.forward(61);
    expect((await ask(2)).status).toBe(200);
  });

  test.each<[string, Fault]>([
    ['401', { kind: 'status', status: 401 }],
    ['403', { kind: 'forbidden' }],
    ['500', { kind: 'status', status: 500 }],
    ['a limit', { kind: 'over-qps' }],
  ])('with status %s proves nothing, and is made once a minute', async (_, fault) => {
    const { sandbox, ask, clock } = await up(version);
    sandbox.fault({ kind: 'status', status: 403 });
    expect((await ask(1)).type).toBe('upstream-credentials-refused');
    sandbox.heal();
    sandbox.fault({ ...fault, ...neutral });
    for (let minute = 1; minute <= 3; minute++) {
      clock.forward(61);
      sandbox.forget();
      for (let id = 2; id <= 6; id++) expect((await ask(id)).type).toBe('upstream-credentials-refused');
      expect(sandbox.callCount).toBe(1);
    }
  });
});

test("the log line of v2's end names what to do, and a guide that exists", async () => {
  const { sandbox, ask, told } = await up('v2');
  sandbox.fault({ kind: 'gone' });
  await ask(1);
  const [{ guide, msg }] = told('error');
  expect(msg).toContain('CONSTANT_CONTACT_API=v3');
  expect(msg).toContain(guide);
  expect(existsSync(new URL(`../${guide}`, import.meta.url))).toBe(true);
});

test('refused credentials reveal a withdrawn API', async () => {
  const { sandbox, ask, told } = await up('v2');
  sandbox.fault({ kind: 'status', status: 403, campaign: '1' });
  sandbox.fault({ kind: 'gone' });
  expect((await ask(1)).type).toBe('upstream-gone');
  expect(told('error')).toHaveLength(1);
});

describe('a user who may not read reports', () => {
  test('is logged once at level error, once the privileges confirm it', async () => {
    const { sandbox, ask, management, told, clock } = await up('v3');
    sandbox.privileges = ['contacts:contact:read'];
    for (const id of [1, 2, 3]) expect((await ask(id)).type).toBe('upstream-credentials-refused');
    const [line, ...others] = told('error');
    expect(others).toEqual([]);
    expect(line).toMatchObject({ event: 'upstream.access_denied', privilege: 'ui:campaign:metrics' });
    for (const word of ['denies access', 'ui:campaign:metrics', 'Campaign Creator', 'npm run authorize'])
      expect(line.msg).toContain(word);
    expect(told('warn').map(({ outcome }) => outcome)).toEqual(['access-denied', 'privileges']);
    const metrics = await management('/metrics');
    expect(metrics).toContain('sendgate_upstream_calls_total{report="sends",outcome="access-denied",team="default"} 1');
    expect(metrics).toContain('sendgate_upstream_credentials_refused 1');
    sandbox.privileges = ['ui:campaign:metrics'];
    clock.forward(61);
    expect((await ask(1)).status).toBe(200);
  });

  test('is logged again when refused credentials are replaced by theirs', async () => {
    const { sandbox, ask, told, clock } = await up('v3');
    sandbox.fault({ kind: 'status', status: 403 });
    expect((await ask(1)).type).toBe('upstream-credentials-refused');
    sandbox.heal();
    sandbox.privileges = [];
    sandbox.fault({ kind: 'access-denied' });
    clock.forward(61);
    expect((await ask(1)).type).toBe('upstream-credentials-refused');
    expect(told('error').map(({ event }) => event)).toEqual(['upstream.credentials_refused', 'upstream.access_denied']);
  });

  test('is not concluded from one denied question', async () => {
    const { sandbox, ask, told } = await up('v3');
    sandbox.fault({ kind: 'access-denied', campaign: '1' });
    expect((await ask(1)).type).toBe('upstream-failed');
    expect((await ask(2)).status).toBe(200);
    expect(told('error')).toEqual([]);
    expect(told('warn').map(({ outcome }) => outcome)).toEqual(['access-denied']);
  });
});

describe("the log line of a failed call has the id that Constant Contact's support asks for", () => {
  test.each([
    ['a refusal', { kind: 'status', status: 404 }],
    ['a failure', { kind: 'status', status: 500, times: 1 }],
    ['a limit', { kind: 'over-qps', times: 1 }],
    ['a body that is no JSON', { kind: 'malformed' }],
    ['a body that is no page', { kind: 'wrong-schema' }],
  ] as const)('of %s', async (_, fault) => {
    const { sandbox, ask, told } = await up('v2');
    sandbox.fault(fault);
    await ask(1);
    const [call] = sandbox.calls;
    expect(told('warn')[0]).toMatchObject({ upstreamRequestId: call?.requestId });
  });

  test.each([
    [
      { 'x-amzn-requestid': 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef', 'x-eig-tracking-id': 'the-other' },
      'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
    ],
    [{ 'x-amzn-requestid': 'short', 'x-eig-tracking-id': 'Root=1-67891233/abc' }, 'Root=1-67891233/abc'],
    [{ 'x-amzn-requestid': 'someone@example.com', 'x-eig-tracking-id': 'a b c d e f g h' }, undefined],
    [{ 'x-amzn-requestid': 'x'.repeat(129), 'x-request-id': 'not-one-of-theirs' }, undefined],
    [{}, undefined],
  ])('if it looks like an id: %j', async (ids, told) => {
    const { sandbox, ask, told: lines } = await up('v2');
    sandbox.fault({ kind: 'status', status: 404, requestIds: ids });
    await ask(1);
    expect(lines('warn')[0].upstreamRequestId).toBe(told);
  });

  test('and a failed connection has no id', async () => {
    const { sandbox, ask, told } = await up('v2', { SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    sandbox.fault({ kind: 'reset' });
    await ask(1);
    expect(told('warn')[0]).toMatchObject({ outcome: 'connection', code: expect.any(String) });
    expect(told('warn')[0]).not.toHaveProperty('upstreamRequestId');
  });
});

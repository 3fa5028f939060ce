/**
 * Questions that Constant Contact, or a firewall in front of it, answers oddly: what one client makes of them is its own affair.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Fault } from '../../src/sandbox/fault.ts';
import { activityIdOf } from '../../src/sandbox/v3.ts';
import { cursorOf, type Environment, type Harness, start, until } from '../support/harness.ts';

const versions = ['v2', 'v3'] as const;
type Version = (typeof versions)[number];

const behind = (cursor: string, version: Version) => `?next=${encodeURIComponent(cursorOf(cursor, version))}`;
type Type = 'failed' | 'timeout' | 'busy';

/** What is odd in a cursor, and what comes of it. */
const kinds: readonly { readonly name: string; readonly fault: Fault; readonly type: Type }[] = [
  { name: 'refused', fault: { kind: 'status', status: 403 }, type: 'failed' },
  { name: 'unauthorized', fault: { kind: 'status', status: 401 }, type: 'failed' },
  { name: 'denied', fault: { kind: 'access-denied' }, type: 'failed' },
  { name: 'forbidden', fault: { kind: 'forbidden' }, type: 'failed' },
  { name: 'withdrawn', fault: { kind: 'gone' }, type: 'failed' },
  { name: 'deleted', fault: { kind: 'gone', status: 410 }, type: 'failed' },
  { name: 'blocked', fault: { kind: 'firewall' }, type: 'failed' },
  { name: 'crashed', fault: { kind: 'firewall', status: 500 }, type: 'failed' },
  // A firewall's page quotes what a caller has sent.
  { name: 'Developer Over Rate', fault: { kind: 'firewall' }, type: 'busy' },
  { name: 'Developer Over Qps', fault: { kind: 'firewall', status: 401 }, type: 'busy' },
  // And where it is JSON that is put together by hand, the quotation can add to it.
  { name: '","message":"Limit Exceeded","x":"', fault: { kind: 'firewall', page: 'json', status: 429 }, type: 'busy' },
  { name: '","error_key":"quota_exceeded","x":"', fault: { kind: 'firewall', page: 'json' }, type: 'busy' },
  { name: '","error_key":"throttled","x":"', fault: { kind: 'firewall', page: 'json', status: 400 }, type: 'busy' },
  { name: '","error_key":"http.status.gone","x":"', fault: { kind: 'firewall', page: 'json' }, type: 'failed' },
  { name: 'broken', fault: { kind: 'status', status: 500 }, type: 'failed' },
  { name: 'waiting', fault: { kind: 'status', status: 503, retryAfter: '3600' }, type: 'busy' },
  { name: 'html', fault: { kind: 'html' }, type: 'failed' },
  { name: 'malformed', fault: { kind: 'malformed' }, type: 'failed' },
  { name: 'elsewhere', fault: { kind: 'redirect' }, type: 'failed' },
  { name: 'cut', fault: { kind: 'reset-mid-body' }, type: 'failed' },
  { name: 'limited', fault: { kind: 'status', status: 429 }, type: 'busy' },
  { name: 'limited-long', fault: { kind: 'over-qps', limitsAs: 'plain', retryAfter: '3600' }, type: 'busy' },
];
const silent = { name: 'silent', fault: { kind: 'hang' }, type: 'timeout' } as const;
const statuses = { failed: 502, busy: 503, timeout: 504 } as const;

let it: Harness | undefined;
afterEach(async () => {
  await it?.close();
  it = undefined;
});

const teams = JSON.stringify(['a', 'b'].map((name) => ({ name, header: { name: 'x-team', value: name } })));

async function up(version: Version, env: Environment = {}) {
  const harness = await start(
    {
      SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '2000',
      SENDGATE_QUOTA_PER_DAY: '1000000',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
      SENDGATE_TEAMS: teams,
      ...env,
    },
    {},
    version,
  );
  it = harness;
  const { sandbox, clock, url, service } = harness;
  for (let id = 1; id <= 400; id++) sandbox.campaign({ id: String(id), size: 3, newestMs: clock.now() });
  for (const { name, fault } of [...kinds, silent]) sandbox.fault({ ...fault, query: { next: `odd-${name}.` } });
  const target = (id: number, search = '') =>
    `${url}/campaigns/${version === 'v3' ? activityIdOf(String(id)) : id}/sends${search}`;
  const ask = async (id: number, search = '', team = 'a') => {
    const answer = await fetch(target(id, search), { headers: { 'x-team': team } });
    return { status: answer.status, type: answer.ok ? '' : ((await answer.json()) as { type: string }).type };
  };
  const ready = async () => (await (await fetch(`${service.managementUrl}/readyz`)).json()) as { upstream: string };
  const probes = () => sandbox.calls.filter(({ path }) => /\/(campaigns|privileges)$/.test(path)).length;
  return { ...harness, ask, ready, probes };
}

describe.each(versions)('with %s', (version) => {
  test('five hundred odd questions of one client shut no gate for others, and cost few probes', async () => {
    // A machine that stalls for two seconds would be a silent upstream, too.
    const patient = { SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '8000' };
    const { sandbox, ask, ready, probes, lines, service } = await up(version, patient);
    expect((await ask(1)).status).toBe(200);
    const { perSecond } = service.status().upstream;
    let odd = 0;
    const attack = async () => {
      while (odd < 500) {
        const n = odd++;
        // Silence takes its time, so there is some of it at the beginning.
        const { name } = n < 200 && n % 24 === 7 ? silent : (kinds[n % kinds.length] as (typeof kinds)[number]);
        const { status } = await ask(1, behind(`odd-${name}.${n >> 2}`, version));
        expect([502, 503, 504]).toContain(status);
      }
    };
    const attacks = Promise.all(Array.from({ length: 40 }, attack));
    const seen = new Set<number>();
    for (let id = 2; odd < 500 && id <= 400; id++) seen.add((await ask(id, '', 'b')).status);
    await attacks;
    expect([...seen]).toEqual([200]);
    expect((await ask(1)).status).toBe(200);
    expect(await ready()).toMatchObject({ upstream: 'ok' });
    expect(service.status().upstream.perSecond).toBe(perSecond);
    expect(lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect(probes()).toBeLessThanOrEqual(5);
    if (version === 'v3') expect(sandbox.tokenCallCount).toBeLessThanOrEqual(2);
  });

  test('an odd question repeated within a minute costs no call', async () => {
    const env = { SENDGATE_CONSTANT_CONTACT_RETRIES: '0', SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '1000' };
    const { sandbox, ask, clock, ready } = await up(version, env);
    for (const { name, type } of [...kinds, silent]) {
      const first = await ask(1, behind(`odd-${name}.`, version));
      expect({ name, ...first }).toEqual({ name, status: statuses[type], type: `/problems/upstream-${type}` });
      sandbox.forget();
      for (let n = 0; n < 3; n++) expect(await ask(1, behind(`odd-${name}.`, version))).toEqual(first);
      expect(sandbox.callCount).toBe(0);
    }
    clock.stepWall(-3_600_000);
    clock.forward(61);
    for (const { name } of kinds) await ask(1, behind(`odd-${name}.`, version));
    expect(sandbox.callCount).toBeGreaterThanOrEqual(kinds.length);
    expect(await ready()).toMatchObject({ upstream: 'ok' });
  });

  test('questions that always fail leave retries for others', async () => {
    const { sandbox, ask } = await up(version);
    sandbox.forget();
    await Promise.all(Array.from({ length: 30 }, (_, n) => ask(1, behind(`odd-broken.${n}`, version))));
    expect(sandbox.callCount).toBeLessThanOrEqual(30 + 8 + 1);
    sandbox.fault({ kind: 'status', status: 500, campaign: '2', times: 2 });
    expect((await ask(2, '', 'b')).status).toBe(200);
  });

  test('a failure without time for a retry is not remembered', async () => {
    const { ask, sandbox, clock } = await up(version);
    expect((await ask(1)).status).toBe(200);
    sandbox.forget();
    sandbox.fault({ kind: 'latency', ms: 300, campaign: '2', times: 1 });
    sandbox.fault({ kind: 'status', status: 500, campaign: '2', times: 1 });
    const late = ask(2);
    await until(() => sandbox.callCount === 1, 'it is asked');
    clock.forward(19.95);
    expect((await late).status).toBe(502);
    expect((await ask(2, '', 'b')).status).toBe(200);
  });

  test('refused credentials are still detected and probed among odd questions', async () => {
    const { sandbox, ask, ready, clock, lines } = await up(version);
    expect((await ask(1)).status).toBe(200);
    sandbox.fault({ kind: 'status', status: 403 });
    expect((await ask(2, '', 'b')).type).toBe('/problems/upstream-credentials-refused');
    expect(await ready()).toMatchObject({ upstream: 'credentials-refused' });
    for (let round = 0; round < 3; round++) {
      sandbox.forget();
      for (let n = 0; n < 5; n++) await ask(1, behind(`odd-refused.${round}-${n}`, version));
      expect(sandbox.callCount).toBeLessThanOrEqual(1);
      clock.forward(61);
    }
    sandbox.heal();
    sandbox.fault({ kind: 'status', status: 403, query: { next: 'odd' } });
    expect((await ask(1, behind('odd-refused.last', version))).type).toBe('/problems/upstream-failed');
    expect((await ask(2, '', 'b')).status).toBe(200);
    expect(lines.filter((line) => line.includes('"level":"error"'))).toHaveLength(1);
  });

  test('an outage and its end are still detected when an odd question comes first each time', async () => {
    const { sandbox, ask, ready, clock } = await up(version, { SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    expect((await ask(1)).status).toBe(200);
    sandbox.fault({ kind: 'status', status: 500 });
    for (let id = 2; id <= 12; id++) await ask(id, '', 'b');
    await until(async () => (await ready()).upstream === 'failing', 'the circuit is open');
    sandbox.forget();
    for (let id = 13; id <= 50; id++) expect((await ask(id, '', 'b')).status).toBe(503);
    expect(sandbox.callCount).toBeLessThanOrEqual(1);
    sandbox.heal();
    sandbox.fault({ kind: 'status', status: 500, query: { next: 'odd' } });
    clock.forward(6);
    expect((await ask(1, behind('odd-broken.', version))).status).toBe(502);
    expect((await ask(51, '', 'b')).status).toBe(200);
    // What failed before it was known to be an outage is not held against the question.
    for (let id = 2; id <= 12; id++) expect((await ask(id, '', 'b')).status).toBe(200);
  });
});

describe('v2 ids with odd responses of v3', () => {
  const askById = async (id: string, team: string) =>
    (await fetch(`${it?.url}/campaigns/${id}/sends`, { headers: { 'x-team': team } })).status;

  test.each([403, 500])('with %s fail without affecting ids in the same lookup', async (status) => {
    const { sandbox, ready } = await up('v3', { SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    sandbox.fault({ kind: 'status', status, query: { v2_email_campaign_ids: '9000' } });
    const ids = ['1', '2', '9000', '3', '4', '5', '6', '7'];
    expect(await Promise.all(ids.map((id) => askById(id, 'a')))).toEqual(ids.map((id) => (id === '9000' ? 502 : 200)));
    sandbox.forget();
    expect(await askById('9000', 'b')).toBe(502);
    expect(sandbox.callCount).toBe(0);
    expect(await ready()).toMatchObject({ upstream: 'ok' });
  });

  test('that get no response delay no other id', async () => {
    const { sandbox } = await up('v3', { SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '1000' });
    sandbox.fault({ kind: 'hang', query: { v2_email_campaign_ids: '9000' } });
    const asked = [askById('9000', 'a'), ...['1', '2', '3'].map((id) => askById(id, 'b'))];
    expect(await Promise.all(asked)).toEqual([504, 200, 200, 200]);
    const lookups = sandbox.calls.map(({ query }) => query['v2_email_campaign_ids'] ?? '');
    expect(lookups.filter((ids) => ids.includes('9000'))).toEqual(['9000']);
  });
});

test('a probe whose credentials are replaced meanwhile delays no caller', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'sendgate-token-')), 'token');
  writeFileSync(file, 'token-before');
  const env = { CONSTANT_CONTACT_ACCESS_TOKEN: '', CONSTANT_CONTACT_ACCESS_TOKEN_FILE: file };
  it = await start(env, { accessToken: '' }, 'v2');
  const { sandbox, service, clock, get } = it;
  sandbox.campaign({ id: '1', size: 3, newestMs: clock.now() });
  sandbox.fault({ kind: 'status', status: 403 });
  expect((await get('/campaigns/1/sends')).status).toBe(502);
  sandbox.heal();
  sandbox.fault({ kind: 'latency', ms: 200 });
  sandbox.fault({ kind: 'status', status: 403 });
  sandbox.forget();
  clock.forward(61);
  const probing = get('/campaigns/1/sends');
  await until(() => sandbox.callCount === 1, 'the probe is sent');
  writeFileSync(file, 'token-after');
  service.reload();
  expect((await probing).status).toBe(502);
  sandbox.heal();
  expect((await get('/campaigns/1/sends')).status).toBe(200);
});

test("v3's privileges distinguish a user who may not read reports from an odd question", async () => {
  const { sandbox, ask } = await up('v3');
  sandbox.privileges = ['contacts:contact:read'];
  sandbox.fault({ kind: 'status', status: 403, campaign: '1' });
  expect((await ask(1)).type).toBe('/problems/upstream-credentials-refused');
});

test.each(versions)('a 429 without a limit name changes no rate unless the probe gets one too: %s', async (version) => {
  const { ask, sandbox, service, probes } = await up(version);
  const { perSecond } = service.status().upstream;
  for (let n = 0; n < 3; n++) expect((await ask(1, behind('odd-limited.', version))).status).toBe(503);
  expect(service.status().upstream.perSecond).toBe(perSecond);
  expect(probes()).toBeLessThanOrEqual(1);
  const asked = sandbox.calls.filter(({ query }) => query['next'] === 'odd-limited.').length;
  expect(asked).toBeLessThanOrEqual(3); // It is remembered.

  it?.clock.forward(61);
  sandbox.fault({ kind: 'status', status: 429 });
  expect((await ask(2)).status).toBe(503);
  expect(service.status().upstream.perSecond).toBeLessThan(perSecond);
});

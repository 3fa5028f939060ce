/**
 * A campaign's summary: its counts, at few calls, also while Constant Contact fails.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { api, apiKey, type Environment, type Harness, idOf, start, until } from './support/harness.ts';
import { summaryOf, summaryWithoutNumbers } from './support/summaries.ts';

/** A tenth of the ten hours since it was sent, with v2; with v3 the least, since its statistics do not say when that was. */
const freshSeconds = { v2: 3_600, v3: 300 }[api];
const hourMs = 3_600_000;
let it: Harness;
afterEach(() => it.close());

describe('The summary', () => {
  const pathOf = (id: string) => `/campaigns/${idOf(id)}/summary`;
  const summary = async (id = '1') => (await (await it.get(pathOf(id))).json()) as Record<string, unknown>;
  type Campaign = Parameters<Harness['sandbox']['campaign']>[0];
  async function begin(campaign: Partial<Campaign> = {}, env: Environment = {}): Promise<void> {
    it = await start(env);
    it.sandbox.campaign({ id: '1', size: 12_345, newestMs: it.clock.now() - 10 * hourMs, ...campaign });
  }

  /** Calls but those for the summaries of all campaigns, which v3 has. */
  const calls = () => it.sandbox.calls.filter(({ path }) => !path.includes('/summary_reports/'));

  test('is its counts, at one call for all who ask, and for a tenth of its age', async () => {
    await begin();
    expect(await summary()).toEqual(summaryOf(idOf('1'), 12_345));
    expect(calls()).toHaveLength(1);

    it.sandbox.addSends('1', 5);
    it.clock.forward(freshSeconds - 60);
    expect(await summary()).toMatchObject({ sends: 12_345 });
    expect(calls()).toHaveLength(1);

    it.clock.forward(120);
    const all = await Promise.all(Array.from({ length: 20 }, () => summary()));
    for (const one of all) expect([12_345, 12_350]).toContain(one['sends']);
    await until(async () => (await summary())['sends'] === 12_350, 'it is refreshed behind the answers');
    expect(calls()).toHaveLength(2);
  });

  test('is one call for all who ask first', async () => {
    await begin();
    it.sandbox.fault({ kind: 'latency', ms: 30 });
    const all = await Promise.all(Array.from({ length: 20 }, () => summary()));
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(calls()).toHaveLength(1);
  });

  test('is the current number, not that of the last scheduled update', async () => {
    await begin();
    await summary();
    const query = api === 'v2' ? { api_key: apiKey, updateSummary: 'true' } : {};
    expect(calls().map((call) => call.query)).toEqual([query]);
  });

  test('has numbers, even if Constant Contact writes strings', async () => {
    await begin({ textCounts: true });
    expect(await summary()).toEqual(summaryOf(idOf('1'), 12_345));
  });

  test('has no numbers before the campaign is sent, and then some', async () => {
    await begin({ size: 0, status: 'DRAFT' });
    const unsent = api === 'v3' ? summaryWithoutNumbers(idOf('1')) : summaryOf(idOf('1'), 0);
    expect(await summary()).toEqual(unsent);
    it.sandbox.campaign({ id: '1', size: 3, newestMs: it.clock.now() });
    it.clock.forward(301);
    await summary();
    await until(async () => (await summary())['sends'] === 3, 'it is refreshed');
  });

  test('is served stale while Constant Contact fails, and is an error if it was never fetched', async () => {
    await begin({}, { SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    await summary();
    it.sandbox.campaign({ id: '2', size: 3, newestMs: it.clock.now() });
    it.sandbox.fault({ kind: 'status', status: 500 });
    it.clock.forward(freshSeconds + 1);
    expect(await summary()).toEqual(summaryOf(idOf('1'), 12_345));
    await until(
      () => it.lines.some((line) => line.includes('upstream.call_failed')),
      'the refresh behind it has failed',
    );
    expect((await it.get(pathOf('2'))).status).toBe(502);
    it.clock.forward(8 * 86_400);
    expect((await it.get(pathOf('1'))).status).toBe(502);
  });

  test('of an unknown campaign is a 404, remembered', async () => {
    await begin();
    expect((await it.get(pathOf('99'))).status).toBe(404);
    const asked = it.sandbox.callCount;
    expect((await it.get(pathOf('99'))).status).toBe(404);
    expect(it.sandbox.callCount).toBe(asked);
    it.clock.forward(61);
    expect((await it.get(pathOf('99'))).status).toBe(404);
    expect(it.sandbox.callCount).toBeGreaterThan(asked);
  });

  test('has no parameters, and is found at its old path', async () => {
    await begin();
    expect((await it.get(`${pathOf('1')}?limit=1`)).status).toBe(400);
    const old = await fetch(`${it.url}/campaigns/${idOf('1')}/sends/summary`, { redirect: 'manual' });
    expect([old.status, old.headers.get('location')]).toEqual([308, pathOf('1')]);
  });
});

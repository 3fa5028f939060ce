/**
 * Pages, calls, log lines: operators see by report what is asked for, and what it costs.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { allReports } from '../src/model/reports.ts';
import { WorkerReports } from '../src/workers/worker-reports.ts';
import { type Harness, start, until } from './support/harness.ts';

let it: Harness;
afterEach(() => it?.close());

async function up(version: 'v2' | 'v3') {
  it = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true' }, {}, version);
  it.sandbox.campaign({ id: '1', size: 50, newestMs: it.clock.now() - 86_400_000 });
}

/** Values of a counter by some of its labels. */
async function counted(name: string, ...labels: string[]): Promise<Record<string, number>> {
  const metrics = await (await fetch(`${it.service.managementUrl}/metrics`)).text();
  const values: Record<string, number> = {};
  for (const [, given = '', value] of metrics.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\d+)$`, 'gm'))) {
    const byName = Object.fromEntries([...given.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text]));
    const key = labels.map((label) => byName[label]).join(' ');
    values[key] = (values[key] ?? 0) + Number(value);
  }
  return values;
}

const callsForDetails = {
  // A campaign comes with its summary and its links.
  v2: { campaigns: 1, campaign: 1 },
  // The directory's second call has all summaries. A campaign takes two calls, and its id one.
  v3: { campaigns: 2, campaign: 2, links: 1, ids: 1 },
};

const logged = () => it.lines.filter((line) => line.includes('"route"')).map((line) => JSON.parse(line));

describe.each(['v2', 'v3'] as const)('with %s', (version) => {
  test('a page counts for its report, as a miss and as a hit, and so does its call', async () => {
    await up(version);
    for (const { name } of allReports) {
      for (let time = 0; time < 2; time++) expect((await it.get(`/campaigns/1/${name}`)).status).toBe(200);
    }
    const both = allReports.flatMap(({ name }) => [[`${name} miss`, 1] as const, [`${name} fresh`, 1] as const]);
    await until(() => logged().length === both.length, 'all are logged');
    expect(await counted('sendgate_pages_served_total', 'report', 'cache')).toEqual(Object.fromEntries(both));
    const calls = await counted('sendgate_upstream_calls_total', 'report', 'outcome');
    const { 'ids ok': _, ...ofReports } = calls; // With v3, what the campaign's id means.
    expect(ofReports).toEqual(Object.fromEntries(allReports.map(({ name }) => [`${name} ok`, 1])));
    expect(await counted('sendgate_upstream_call_duration_seconds_count', 'report')).toMatchObject({ opens: 1 });
  });

  test('an answer from which several resources are made counts once, by the name that callers know', async () => {
    await up(version);
    const id = (await (await fetch(`${it.url}/campaigns`)).json()).results[0].id as string;
    for (const path of ['', '/summary', '/links']) {
      expect((await fetch(`${it.url}/campaigns/${id}${path}`)).status).toBe(200);
    }
    await until(() => logged().length === 4, 'all are logged');
    const pages = ['campaigns', 'campaign', 'summary', 'links'].map((name) => [name, 1]);
    expect(await counted('sendgate_pages_served_total', 'report')).toEqual(Object.fromEntries(pages));
    expect(await counted('sendgate_upstream_calls_total', 'report')).toEqual(callsForDetails[version]);
  });
});

test('the log has the report of pages, exports and v2 programs, also of refused requests, and none elsewhere', async () => {
  await up('v2');
  for (const path of [
    '/campaigns/1/opens?limit=0',
    '/campaigns/1/bounces.csv',
    '/v2/emailmarketing/campaigns/1/tracking/clicks/1',
    '/campaigns/1/sends/summary',
    '/campaigns/1/nothing',
    '/status',
  ]) {
    await (await fetch(`${it.url}${path}`, { redirect: 'manual' })).arrayBuffer();
  }
  await until(() => logged().length === 6, 'all are logged');
  expect(logged().map(({ report, status }) => [report, status])).toEqual([
    ['opens', 400],
    ['bounces', 200],
    ['clicks', 200],
    ['summary', 308],
    [undefined, 404],
    [undefined, 200],
  ]);
});

test('a failed call names its report', async () => {
  await up('v2');
  it.sandbox.fault({ kind: 'status', status: 404 });
  await it.get('/campaigns/1/unsubscribes');
  const failed = it.lines.filter((line) => line.includes('upstream.call_failed')).map((line) => JSON.parse(line));
  expect(failed).toEqual([expect.objectContaining({ report: 'unsubscribes', outcome: 'http-404' })]);
});

test('what workers that have ended have served still counts for its report', () => {
  const reports = new WorkerReports();
  const served = { route: '/campaigns/:id/links', report: 'links', team: 'web', cache: 'fresh', status: 200 } as const;
  reports.started(1);
  reports.reported(1, {
    responses: [{ ...served, count: 3, seconds: 1, byLatency: [3] }],
    bytes: 0,
    exportsRunning: 0,
  });
  reports.ended(1);
  expect(reports.responses).toEqual([expect.objectContaining({ report: 'links', count: 3 })]);
});

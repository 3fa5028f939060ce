/**
 * Rows that deviate from the documentation: each is kept with the fields it has, in pages, exports and views.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import Papa from 'papaparse';
import { createClient } from '../src/client/client.ts';
import { type Send, sendsReport } from '../src/model/sends.ts';
import type { CampaignOptions } from '../src/sandbox/campaign.ts';
import type { OddKind } from '../src/sandbox/odd.ts';
import { parseV2Page } from '../src/upstream/v2-page.ts';
import { parseV3Page } from '../src/upstream/v3-page.ts';
import { api, type Harness, idOf, type PageJson, start } from './support/harness.ts';

const newestMs = Date.parse('2026-01-01T12:00:00.000Z');
let it: Harness | undefined;
afterEach(async () => {
  await it?.close();
  it = undefined;
});

async function up(odd: CampaignOptions['odd'], more: Partial<CampaignOptions> = {}): Promise<Harness> {
  it = await start();
  it.sandbox.campaign({ id: '1', size: 6, newestMs, spacingMs: 1000, ...(odd && { odd }), ...more });
  return it;
}

const metric = async ({ service }: Harness) =>
  (await service.metrics.registry.metrics())
    .split('\n')
    .filter((line) => line.startsWith('sendgate_upstream_odd_rows_total{'));
const warnings = ({ lines }: Harness) =>
  lines.filter((line) => line.includes('upstream.odd_row')).map((line) => JSON.parse(line) as Record<string, unknown>);

/** The oddity, and the field that is empty for callers. */
const kinds: readonly (readonly [OddKind, keyof Send])[] = [
  ['no-address', 'email_address'],
  ['null-address', 'email_address'],
  ['numeric-address', 'email_address'],
  ['no-contact', 'contact_id'],
  ['null-contact', 'contact_id'],
  ['empty-contact', 'contact_id'],
  ['numeric-contact', 'contact_id'],
  ['no-type', 'activity_type'],
  ['null-type', 'activity_type'],
  ['no-date', 'send_date'],
  ['null-date', 'send_date'],
  ['empty-date', 'send_date'],
  ['numeric-date', 'send_date'],
  ['text-date', 'send_date'],
];
const ofV2: readonly (readonly [OddKind, keyof Send])[] = [
  ['no-campaign', 'campaign_id'],
  ['null-campaign', 'campaign_id'],
  ['numeric-campaign', 'campaign_id'],
];

describe('a row with', () => {
  test.each(api === 'v2' ? [...kinds, ...ofV2] : kinds)('%s is kept, with an empty %s', async (kind, field) => {
    const harness = await up({ 0: kind, 3: kind, 5: kind });
    const { results } = await harness.page('/campaigns/1/sends');
    await harness.close();
    const plain = await up(undefined);
    const expected = (await plain.page('/campaigns/1/sends')).results;
    expect(results).toEqual(expected.map((send, at) => ([0, 3, 5].includes(at) ? { ...send, [field]: '' } : send)));

    expect(await metric(harness)).toEqual([`sendgate_upstream_odd_rows_total{field="${field}"} 3`]);
    expect(warnings(harness)).toEqual([expect.objectContaining({ level: 'warn', field, rows: 3 })]);
  });

  test.each(['null-row', 'text-row', 'numeric-row', 'list-row', 'other-row'] as const)(
    'rejects the page if it is not a row: %s',
    async (kind) => {
      const harness = await up({ 2: kind });
      const answer = await harness.get('/campaigns/1/sends');
      expect([answer.status, await answer.json()]).toEqual([
        502,
        expect.objectContaining({ type: '/problems/upstream-failed' }),
      ]);
      expect(harness.lines.join('')).not.toContain('leak@');
      expect(await metric(harness)).toEqual([]);
    },
  );
});

test('odd fields are counted per page and logged once per field, without values', async () => {
  const harness = await up({ 0: 'null-address', 1: 'null-address', 4: 'numeric-date' });
  await harness.page('/campaigns/1/sends');
  await harness.page('/campaigns/1/sends?limit=3');
  harness.sandbox.campaign({ id: '2', size: 2, newestMs, odd: { 0: 'no-address', 1: 'numeric-contact' } });
  await harness.page('/campaigns/2/sends');
  expect((await metric(harness)).sort()).toEqual([
    'sendgate_upstream_odd_rows_total{field="contact_id"} 1',
    'sendgate_upstream_odd_rows_total{field="email_address"} 5',
    'sendgate_upstream_odd_rows_total{field="send_date"} 1',
  ]);
  const told = warnings(harness);
  expect(told.map(({ field }) => field).sort()).toEqual(['contact_id', 'email_address', 'send_date']);
  for (const line of told) {
    expect(Object.keys(line).sort()).toEqual(['campaign', 'event', 'field', 'level', 'msg', 'report', 'rows', 'time']);
  }
  expect(JSON.stringify(told)).not.toMatch(/example|1354799174762|1152921504606/);
});

test.each([
  ['a link with a parameter that is not known', { linkExtra: 'trace=5ecret', size: 1_200 }, 2],
  ['one without', { size: 1_200 }, 0],
] as const)('%s is followed, and counted in v3', async (_, more, odd) => {
  const harness = await up(undefined, more);
  const sends: Send[] = [];
  for (let next: string | undefined = '/campaigns/1/sends'; next !== undefined; ) {
    const page: PageJson = await harness.page(next);
    sends.push(...page.results);
    next = page.meta.pagination.next_link;
  }
  expect(sends).toHaveLength(1_200);
  const count = api === 'v3' ? odd : 0;
  expect(await metric(harness)).toEqual(count ? [`sendgate_upstream_odd_rows_total{field="link"} ${count}`] : []);
  expect(warnings(harness).map(({ field }) => field)).toEqual(count ? ['link'] : []);
  expect(harness.lines.join('')).not.toContain('5ecret');
});

describe('behind odd rows', () => {
  const everything: CampaignOptions['odd'] = {
    0: 'null-date',
    1: 'numeric-contact',
    2: 'no-address',
    3: 'no-type',
    4: 'text-date',
    6: 'null-contact',
    7: 'empty-contact',
  };

  test.each([{ pageSize: 2 }, { pageSize: 5 }, { pageSize: 500 }])(
    'exports contain each row once, with empty cells: %j',
    async ({ pageSize }) => {
      const harness = await up(everything, { size: 40, pageSize, spacingMs: 1 });
      const csv = await (await harness.get('/campaigns/1/sends.csv')).text();
      const ndjson = await (await harness.get('/campaigns/1/sends.ndjson')).text();
      const rows = ndjson
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Send);
      expect(rows).toHaveLength(40);
      expect(Papa.parse<Send>(csv.trimEnd(), { header: true }).data).toEqual(rows);
      expect(rows.every((row) => Object.keys(row).join() === sendsReport.fields.join())).toBe(true);
      expect(rows[0]?.send_date).toBe('');
      expect(rows[2]?.email_address).toBe('');
      expect(rows[7]?.contact_id).toBe('');
    },
  );

  test('sends with the same date and unknown contacts are all kept, in exports and in the client', async () => {
    const known = Array.from({ length: 12 }, (_, n) => ({
      contactId: String(n + 1),
      email: `${n}@example.com`,
      at: '2026-01-01T12:00:00.000Z',
    }));
    const odd = Object.fromEntries(known.map((_, n) => [n, 'null-contact' as const]));
    const harness = await up(odd, { size: 12, known, pageSize: 5 });
    const text = await (await harness.get('/campaigns/1/sends.ndjson')).text();
    const addresses = text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as Send).email_address);
    expect(addresses).toEqual(known.map(({ email }) => email));
    const told: string[] = [];
    for await (const send of createClient({ baseUrl: harness.url }).sends(idOf('1'))) told.push(send.email_address);
    expect(told).toEqual(addresses);
  });

  test('the freshness of a page follows its readable dates', async () => {
    const harness = await up({ 0: 'text-date', 1: 'null-date' });
    const answer = await harness.get('/campaigns/1/sends');
    const { results } = (await answer.json()) as PageJson;
    expect(answer.headers.get('last-modified')).toBe(new Date(results[2]?.send_date ?? '').toUTCString());
    harness.sandbox.campaign({ id: '3', size: 2, newestMs, odd: { 0: 'no-date', 1: 'numeric-date' } });
    const undated = await harness.get('/campaigns/3/sends');
    expect([undated.status, undated.headers.get('last-modified')]).toEqual([200, null]);
    expect(undated.headers.get('cache-status')).toContain('stored');
    harness.clock.forward(30);
    expect((await harness.get('/campaigns/3/sends')).headers.get('cache-status')).toMatch(/hit; ttl=(30|2\d)$/);
  });

  test('a walk detects a new first send that differs only in its address', async () => {
    const harness = await up(
      { 0: 'null-contact' },
      {
        size: 30,
        known: [{ contactId: '1', email: 'old@example.com', at: '2026-01-01T12:00:00.000Z' }],
      },
    );
    const next = (await harness.page('/campaigns/1/sends?limit=10')).meta.pagination.next_link ?? '';
    await harness.page(next);
    harness.sandbox.campaign({
      ...{ id: '1', size: 30, newestMs, spacingMs: 1000, odd: { 0: 'null-contact' } },
      known: [{ contactId: '1', email: 'new@example.com', at: '2026-01-01T12:00:00.000Z' }],
    });
    // A first page of another limit, without a known ETag.
    await harness.page('/campaigns/1/sends?limit=9');
    expect((await harness.get(next)).headers.get('cache-status')).toContain('fwd=');
  });

  if (api === 'v3') {
    test('a created_since view keeps undated rows among newer ones', async () => {
      const harness = await up({ 1: 'no-date', 3: 'text-date' }, { spacingMs: 60_000 });
      const all = (await harness.page('/campaigns/1/sends')).results;
      const since = all[2]?.send_date ?? '';
      const { results } = await harness.page(`/campaigns/1/sends?created_since=${since}`);
      expect(results).toEqual(all.slice(0, 4));
    });
  }
});

describe('dates', () => {
  const parse = (text: unknown) =>
    (api === 'v2'
      ? parseV2Page(sendsReport.v2.fields, JSON.stringify({ results: [{ contact_id: '1', send_date: text }] }), '1')
      : parseV3Page(
          'tracking_activities',
          sendsReport.v3.fields,
          JSON.stringify({ tracking_activities: [{ contact_id: '1', created_time: text }] }),
          '1',
        )
    ).rows[0]?.['send_date'];

  test.each([
    ['2019-05-16T21:14:00.123Z', '2019-05-16T21:14:00.123Z'],
    ['2019-05-16T21:14:00Z', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16t21:14:00z', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T21:14Z', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T23:14:00+02:00', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T21:14:00.000+0000', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T16:14:00-0500', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T21:14:00.123456', '2019-05-16T21:14:00.123Z'],
    ['2019-05-16T21:14:00', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16 21:14:00', '2019-05-16T21:14:00.000Z'],
    ['2019-05-16T21:14:00.123456789Z', '2019-05-16T21:14:00.123Z'],
  ])('%s is read as %s', (text, told) => {
    expect(parse(text)).toBe(told);
  });

  test.each([
    'soon',
    '',
    'x 1',
    '16 May 2019 21:14:00',
    '2019-05-16',
    '2019-13-16T21:14:00Z',
    '2019-05-16T25:14:00Z',
    '2019-05-16T21:14:00+99:99',
    '0000-01-01T00:00:00+23:00',
    '9999-12-31T23:59:59-23:00',
    '2019-05-16T21:14:00Z<script>',
    '12019-05-16T21:14:00Z',
    1_354_799_174_762,
    null,
    {},
  ])('%j is not a date', (text) => {
    expect(parse(text)).toBe('');
  });

  test.each(['America/New_York', 'Asia/Kolkata', 'Pacific/Kiritimati'])(
    'without a zone are UTC on a machine in %s',
    (TZ) => {
      const from = (name: string) => fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
      const script = `
        const { parseV2Page } = await import(${JSON.stringify(from('upstream/v2-page'))});
        const { parseV3Page } = await import(${JSON.stringify(from('upstream/v3-page'))});
        const { sendsReport } = await import(${JSON.stringify(from('model/sends'))});
        const date = '2019-03-10T02:30:00';
        const v2 = parseV2Page(sendsReport.v2.fields, JSON.stringify({ results: [{ send_date: date }, { send_date: date + '.5' }] }), '1');
        const v3 = parseV3Page('tracking_activities', sendsReport.v3.fields, JSON.stringify({ tracking_activities: [{ created_time: date }] }), '1');
        const isElsewhere = new Date(2019, 2, 10).toISOString() !== '2019-03-10T00:00:00.000Z';
        console.log(JSON.stringify([isElsewhere, ...[...v2.rows, ...v3.rows].map((send) => send.send_date)]));`;
      const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { TZ } });
      expect(JSON.parse(output.toString())).toEqual([
        true,
        '2019-03-10T02:30:00.000Z',
        '2019-03-10T02:30:00.500Z',
        '2019-03-10T02:30:00.000Z',
      ]);
    },
  );

  test('without a zone upstream are UTC instants in Sendgate', async () => {
    const harness = await up(undefined, { zoneless: true });
    const { results } = await harness.page('/campaigns/1/sends');
    const truth = harness.sandbox.campaign({ id: '1', size: 6, newestMs, spacingMs: 1000 });
    expect(results.map(({ send_date }) => send_date)).toEqual(
      results.map((_, index) => new Date(truth.at(index).atMs).toISOString()),
    );
    expect(await metric(harness)).toEqual([]);
  });
});

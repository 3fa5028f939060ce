/**
 * The sandbox's tracking reports: as strict for opens, clicks and the rest as for sends, in both versions.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bounceKinds } from '../src/sandbox/bounces.ts';
import { type CampaignOptions, trackingReports } from '../src/sandbox/campaign-options.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf, contactIdOf } from '../src/sandbox/v3.ts';
import { apiKey, startSandbox } from './support/harness.ts';

type Row = Readonly<Record<string, unknown>>;
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const size = 640;
let sandbox: Sandbox;
let v3Token: string;

beforeEach(async () => {
  sandbox = await startSandbox({ accessToken: '' });
  v3Token = sandbox.oauth?.authorize().accessToken ?? '';
  sandbox.campaign({ id: '1', size, newestMs });
});
afterEach(() => sandbox.stop());

const v3Name = { unsubscribes: 'optouts' } as const;
const v2Path = (report: string, id = '1') => `/v2/emailmarketing/campaigns/${id}/tracking/${report}`;
const v3Path = (report: string, id = '1') =>
  `/v3/reports/email_reports/${activityIdOf(id)}/tracking/${v3Name[report as keyof typeof v3Name] ?? report}`;
const paths = { v2: v2Path, v3: v3Path };
const versions = ['v2', 'v3'] as const;
const each = trackingReports.flatMap((report) => versions.map((version) => ({ report, version })));

const fetchPath = (path: string) =>
  fetch(
    `${sandbox.url}${path}${path.includes('?') ? '&' : '?'}${path.startsWith('/v2/') ? `api_key=${encodeURIComponent(apiKey)}` : ''}`,
    {
      headers: { authorization: `Bearer ${v3Token}` },
    },
  );

async function page(path: string): Promise<{ rows: Row[]; query: string | undefined }> {
  const answer = await fetchPath(path);
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`);
  const body = JSON.parse(text);
  const link = body.meta?.pagination?.next_link ?? body._links?.next?.href;
  return { rows: body.results ?? body.tracking_activities, query: link?.split('?')[1]?.split('#')[0] };
}

async function walk(path: string, search = '?limit=100'): Promise<Row[]> {
  const all: Row[] = [];
  for (let query: string | undefined = search.slice(1); query !== undefined; ) {
    const next: Awaited<ReturnType<typeof page>> = await page(`${path}?${query}`);
    all.push(...next.rows);
    query = next.query;
  }
  return all;
}

const datesOf = (rows: readonly Row[]) =>
  rows.map((row) => String(row['created_time'] ?? Object.entries(row).find(([name]) => name.endsWith('_date'))?.[1]));
const contactsOf = (rows: readonly Row[]) => rows.map((row) => String(row['contact_id']));

describe('rows', () => {
  const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const v2Own = {
    sends: { activity_type: 'EMAIL_SEND', send_date: date },
    opens: { activity_type: 'EMAIL_OPEN', open_date: date },
    clicks: { activity_type: 'EMAIL_CLICK', link_id: expect.stringMatching(/^[1-4]$/), click_date: date },
    bounces: {
      activity_type: 'EMAIL_BOUNCE',
      bounce_code: expect.stringMatching(/^[BDFSVXZ]$/),
      bounce_description: expect.any(String),
      bounce_message: '',
      bounce_date: date,
    },
    forwards: { activity_type: 'EMAIL_FORWARD', forward_date: date },
    unsubscribes: {
      activity_type: 'EMAIL_UNSUBSCRIBE',
      unsubscribe_date: date,
      unsubscribe_source: expect.stringMatching(/^ACTION_BY_/),
      unsubscribe_reason: expect.any(String),
    },
  };

  test.each(trackingReports)("of v2's %s have the documented fields", async (report) => {
    const { rows } = await page(v2Path(report));
    expect(rows[0]).toEqual({
      ...{ campaign_id: '1', contact_id: expect.stringMatching(/^\d+$/), email_address: expect.stringContaining('@') },
      ...v2Own[report],
    });
  });

  const device = expect.stringMatching(/^(computer|mobile|tablet|other)$/);
  test.each([
    ['sends', { tracking_activity_type: 'em_sends' }],
    ['opens', { tracking_activity_type: 'em_opens', device_type: device }],
    ['unique_opens', { tracking_activity_type: 'em_opens', device_type: device }],
    ['didnotopens', { tracking_activity_type: 'em_didnotopens' }],
    [
      'clicks',
      {
        ...{ tracking_activity_type: 'em_clicks', device_type: device },
        url_id: expect.stringMatching(/^\d{13}$/),
        link_url: expect.stringMatching(/^https:/),
      },
    ],
    ['forwards', { tracking_activity_type: 'em_forwards' }],
    ['optouts', { tracking_activity_type: 'em_optouts', opt_out_reason: expect.any(String) }],
    [
      'bounces',
      {
        ...{ tracking_activity_type: 'em_bounces', bounce_code: expect.stringMatching(/^[BDFSVXZ]$/) },
        current_email_address: expect.any(String),
      },
    ],
  ])("of v3's %s have the documented fields", async (report, own) => {
    const { rows } = await page(v3Path(report));
    expect(rows[1]).toEqual({
      ...{ contact_id: expect.any(String), campaign_activity_id: activityIdOf('1'), created_time: date },
      ...{ email_address: expect.stringContaining('@'), ...own },
    });
  });

  test.each(trackingReports)('of %s are the same in both versions', async (report) => {
    const [v2, v3] = [await walk(v2Path(report)), await walk(v3Path(report))];
    const common = (rows: Row[], idOf: (id: string) => string) =>
      rows.map((row, n) => [
        idOf(String(row['contact_id'])),
        row['email_address'],
        datesOf(rows)[n],
        row['bounce_code'],
      ]);
    expect(common(v3, (id) => id)).toEqual(common(v2, contactIdOf));
  });

  test('can be odd in every report, also in its own field, and have numeric ids', async () => {
    sandbox.campaign({
      id: '1',
      size,
      newestMs,
      numericIds: true,
      odd: { 0: 'no-date', 1: 'null-own', 2: 'list-row' },
    });
    const [first, second, third, fourth] = (await page(v2Path('clicks'))).rows;
    expect(first).not.toHaveProperty('click_date');
    expect(second).toMatchObject({ link_id: null });
    expect(third).toBeInstanceOf(Array);
    expect(fourth).toMatchObject({ link_id: expect.any(Number), contact_id: expect.any(Number) });
    expect((await page(v3Path('bounces'))).rows[1]).toMatchObject({ bounce_code: null });
    expect(Object.keys((await page(v2Path('forwards'))).rows[1] ?? {})).toContain('forward_date');
  });
});

describe('pages', () => {
  const options: Partial<CampaignOptions>[] = [
    { cursors: 'time' },
    { cursors: 'long', links: 'absolute' },
    { cursors: 'opaque', links: 'query' },
    { cursors: 'opaque-raw', design: 'cursor' },
    { cursors: 'opaque-form', links: 'other-path', lastPage: 'null' },
    { design: 'page', linkFilter: 'after_date=x' },
    { pageSize: 7, zoneless: true, lastPage: 'empty-link' },
  ];

  test.each(each)(
    'of $report in $version walk to the end, strictly newest first, in every form',
    async ({ report, version }) => {
      const path = paths[version](report);
      const { size: count } = sandbox.campaign({ id: '1', size, newestMs }).report(report);
      const all = await walk(path, '?limit=500');
      expect(all).toHaveLength(count);
      const dates = datesOf(all);
      expect(new Set(dates).size).toBe(count);
      expect(dates.toSorted().toReversed()).toEqual(dates);
      for (const more of options) {
        sandbox.campaign({ id: '1', size, newestMs, ...more });
        expect(contactsOf(await walk(path, `?limit=${Math.max(1, count >> 2)}`))).toEqual(contactsOf(all));
      }
      sandbox.campaign({ id: '1', size, newestMs, order: 'oldest-first' });
      expect(contactsOf(await walk(path))).toEqual(contactsOf(all).toReversed());
    },
  );

  test.each(each)('of $report in $version keep their rows when newer ones arrive', async ({ report, version }) => {
    const path = paths[version](report);
    const before = await walk(path);
    sandbox.add('1', report, 3);
    const after = await walk(path);
    expect(after).toHaveLength(before.length + 3);
    expect(contactsOf(after.slice(3))).toEqual(contactsOf(before));
    expect(datesOf(after).slice(3)).toEqual(datesOf(before));
    sandbox.campaign({ id: '1', size, newestMs, reports: { [report]: { newestMs: Date.now() + 3_600_000 } } });
    sandbox.add('1', report, 3);
    const dates = datesOf(await walk(path));
    expect(dates).toEqual([...new Set(dates)].toSorted().toReversed());
  });

  test.each(trackingReports)("of v2's %s begin at created_since, and their cursors keep it", async (report) => {
    const all = await walk(v2Path(report));
    const since = datesOf(all)[Math.floor(all.length / 2)] ?? '';
    expect(await walk(v2Path(report), `?limit=2&created_since=${since}`)).toHaveLength(Math.floor(all.length / 2) + 1);
    expect((await fetchPath(v3Path(report).concat(`?created_since=${since}`))).status).toBe(400);
  });

  test('of any depth are computed: a million sends, a hundred thousand opens', () => {
    const campaign = sandbox.campaign({ id: '2', size: 1_000_000, newestMs, reports: { opens: { size: 100_000 } } });
    for (const [report, count] of [
      ['sends', 1_000_000],
      ['opens', 100_000],
    ] as const) {
      const rows = campaign.report(report);
      expect(rows.size).toBe(count);
      for (const start of [0, count >> 1, count - 1_000]) {
        const dates = Array.from({ length: 1_000 }, (_, n) => rows.at(start + n).atMs);
        expect(dates.every((at, n) => n === 0 || at < (dates[n - 1] ?? 0))).toBe(true);
      }
    }
  });

  test('of an unsent or unknown campaign are those of its sends', async () => {
    sandbox.campaign({ id: '3', size, newestMs, status: 'SCHEDULED' });
    for (const report of trackingReports) {
      expect((await page(v3Path(report, '3'))).rows).toEqual([]);
      for (const version of versions) expect((await fetchPath(paths[version](report, '4'))).status).toBe(404);
    }
  });
});

describe('the funnel', () => {
  test('narrows from sends to opens to clicks, and has bounces of every code', async () => {
    const campaign = sandbox.campaign({ id: '1', size, newestMs });
    const sizes = trackingReports.map((report) => campaign.report(report).size);
    expect(sizes).toEqual([640, 320, 80, 20, 2, 5]);
    const [sends, opens, clicks, bounces] = await Promise.all(
      ['sends', 'opens', 'clicks', 'bounces'].map(async (report) => new Set(contactsOf(await walk(v2Path(report))))),
    );
    expect([opens?.size, clicks?.size, bounces?.size]).toEqual([campaign.openers, campaign.clickers, 20]);
    expect([...(opens ?? [])].every((contact) => sends?.has(contact))).toBe(true);
    expect([...(clicks ?? [])].every((contact) => opens?.has(contact))).toBe(true);
    expect([...(bounces ?? [])].some((contact) => opens?.has(contact))).toBe(false);
    const codes = (await walk(v2Path('bounces'))).map((row) => String(row['bounce_code']));
    expect([...new Set(codes)].sort()).toEqual(Object.keys(bounceKinds));
  });

  test('goes on for weeks, with most of it soon after the sends', () => {
    const opens = sandbox.campaign({ id: '1', size, newestMs }).report('opens');
    const days = (index: number) => (opens.at(index).atMs - newestMs) / 86_400_000;
    expect(days(0)).toBe(28);
    expect(days(160)).toBeLessThan(2);
    expect(days(319)).toBeGreaterThan(0);
  });

  test('has no row in the future, and is strictly newest first even where little time has passed', () => {
    const opens = sandbox.campaign({ id: '1', size, newestMs: Date.now() - 100 }).report('opens');
    const dates = Array.from({ length: opens.size }, (_, index) => opens.at(index).atMs);
    expect(dates[0]).toBeLessThanOrEqual(Date.now());
    expect(dates.every((at, n) => n === 0 || at < (dates[n - 1] ?? 0))).toBe(true);
  });

  test('takes in contacts it is sent to later, and goes on when all have opened', async () => {
    const campaign = sandbox.campaign({ id: '1', size: 3, newestMs });
    sandbox.addSends('1', 2);
    sandbox.add('1', 'opens', 9);
    const [sends, opens] = [await walk(v2Path('sends')), await walk(v2Path('opens'))];
    expect(new Set(contactsOf(opens))).toEqual(new Set(contactsOf(sends)));
    expect(campaign.openers).toBe(5);
    expect(contactsOf(await walk(v3Path('unique_opens')))).toHaveLength(5);
    expect(await walk(v3Path('didnotopens'))).toEqual([]);
  });

  test('can be set, by report', async () => {
    const reports = {
      opens: { size: 30, contacts: 7, newestMs: newestMs + 1000, spacingMs: 10 },
      clicks: { size: 0 },
      sends: { size: 10 },
    };
    sandbox.campaign({ id: '1', size, newestMs, reports });
    const opens = await walk(v2Path('opens'));
    expect(opens).toHaveLength(30);
    expect(new Set(contactsOf(opens)).size).toBe(7);
    expect(datesOf(opens)[0]).toBe('2026-01-01T12:00:01.000Z');
    expect(datesOf(opens)[29]).toMatch(/^2026-01-01T12:00:00\.7/);
    expect(await walk(v2Path('clicks'))).toEqual([]);
    expect(await walk(v2Path('sends'))).toHaveLength(10);
  });

  test("v3's unique opens are each contact's latest; the others did not open", async () => {
    for (const added of [0, 4]) {
      sandbox.add('1', 'opens', added);
      const [sends, opens, unique, unopened] = await Promise.all(
        ['sends', 'opens', 'unique_opens', 'didnotopens'].map((report) => walk(v3Path(report))),
      );
      const latest = (opens ?? []).filter(
        (row, n) => opens?.findIndex((other) => other['contact_id'] === row['contact_id']) === n,
      );
      expect(contactsOf(unique ?? [])).toEqual(contactsOf(latest));
      expect(datesOf(unique ?? [])).toEqual(datesOf(latest));
      const openers = new Set(contactsOf(latest));
      expect(contactsOf(unopened ?? [])).toEqual(contactsOf(sends ?? []).filter((contact) => !openers.has(contact)));
    }
  });
});

describe('filters', () => {
  const urls = [
    { url: 'https://a.example/', clicks: 31 },
    { url: 'https://b.example/' },
    { url: 'https://c.example/' },
  ];
  const designs = ['next', 'cursor', 'page'] as const;

  test.each(versions)('%s lists the clicks on one link', async (version) => {
    sandbox.campaign({ id: '1', size, newestMs, urls });
    sandbox.add('1', 'clicks', 5);
    const all = await walk(paths[version]('clicks'));
    const field = version === 'v2' ? 'link_id' : 'url_id';
    const ids = [...new Set(all.map((row) => String(row[field])))];
    expect(ids).toHaveLength(3);
    for (const id of ids) {
      const ofLink =
        version === 'v2'
          ? await walk(v2Path(`clicks/${id}`), '?limit=3')
          : await walk(v3Path('clicks'), `?limit=3&url_id=${id}`);
      const expected = all.filter((row) => row[field] === id);
      expect(contactsOf(ofLink)).toEqual(contactsOf(expected));
      expect(datesOf(ofLink)).toEqual(datesOf(expected));
    }
    const none = version === 'v2' ? v2Path('clicks/9') : `${v3Path('clicks')}?url_id=9`;
    expect((await page(none)).rows).toEqual([]);
  });

  test('the clicks at the start follow the counts of the links', () => {
    const campaign = sandbox.campaign({ id: '1', size, newestMs, urls });
    expect([0, 1, 2].map((link) => campaign.clicksOn(link).size)).toEqual([31, 25, 24]);
    const exact = urls.map(({ url }, n) => ({ url, clicks: n + 1 }));
    expect(sandbox.campaign({ id: '1', size, newestMs, urls: exact }).report('clicks').size).toBe(6);
  });

  test.each(designs)("v3's filters survive in links of the design %s, where they belong", async (design) => {
    sandbox.campaign({ id: '1', size, newestMs, urls, design });
    const id = String((await page(v3Path('clicks'))).rows[0]?.['url_id']);
    const first = await page(`${v3Path('clicks')}?limit=3&url_id=${id}`);
    const { query = '' } = first;
    expect(query.includes('url_id=')).toBe(design === 'page');
    const second = await page(`${v3Path('clicks')}?${query}`);
    expect(second.rows.every((row) => row['url_id'] === id)).toBe(true);
    if (design === 'page') {
      const all = await page(`${v3Path('clicks')}?${query.replace(/&url_id=\d+/, '')}`);
      expect(contactsOf(all.rows)).not.toEqual(contactsOf(second.rows));
    } else expect((await fetchPath(`${v3Path('clicks')}?${query}&url_id=${id}`)).status).toBe(400);
  });

  test.each(designs)("v3's bounces are filtered by codes, in links of the design %s", async (design) => {
    sandbox.campaign({ id: '1', size, newestMs, design });
    sandbox.add('1', 'bounces', 20);
    const all = await walk(v3Path('bounces'));
    const some = await walk(v3Path('bounces'), '?limit=2&bounce_code=B&bounce_code=Z');
    const expected = all.filter((row) => row['bounce_code'] === 'B' || row['bounce_code'] === 'Z');
    expect(contactsOf(some)).toEqual(contactsOf(expected));
    for (const search of ['?bounce_code=Q', '?url_id=1', '?device_type=mobile'])
      expect((await fetchPath(v3Path('bounces').concat(search))).status).toBe(400);
  });
});

/**
 * The sandbox's campaigns: lists, details, counts and links, as each version documents them.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CampaignOptions, CampaignStatus } from '../src/sandbox/campaign-options.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import { ForwardClock } from './support/clock.ts';
import { apiKey, startSandbox } from './support/harness.ts';

type Row = Readonly<Record<string, unknown>>;
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const dayMs = 86_400_000;
const statuses: CampaignStatus[] = ['DONE', 'DRAFT', 'SCHEDULED', 'EXECUTING', 'ERROR', 'REMOVED'];
const clock = new ForwardClock();
let sandbox: Sandbox;

beforeEach(async () => {
  sandbox = await startSandbox({ accessToken: '', clock });
});
afterEach(() => sandbox.stop());

const campaign = (id: string, more: Partial<CampaignOptions> = {}) =>
  sandbox.campaign({ id, size: 640, newestMs, ...more });

async function get(path: string): Promise<{ status: number; body: Row }> {
  const { accessToken = '' } = sandbox.oauth?.authorize() ?? {};
  const key = path.startsWith('/v2/') ? `${path.includes('?') ? '&' : '?'}api_key=${encodeURIComponent(apiKey)}` : '';
  const answer = await fetch(`${sandbox.url}${path}${key}`, { headers: { authorization: `Bearer ${accessToken}` } });
  return { status: answer.status, body: (await answer.json()) as Row };
}

const v2List = '/v2/emailmarketing/campaigns';
const v2 = (search = '') => get(`${v2List}${search}`);
const v3 = (search = '') => get(`/v3/emails${search}`);
const v3Reports = `/v3/reports/email_reports/${activityIdOf('1')}`;
const summaries = (search = '') => get(`/v3/reports/summary_reports/email_campaign_summaries${search}`);
const stats = async (id = '1') => {
  const { body } = await get(`/v3/reports/stats/email_campaign_activities/${activityIdOf(id)}`);
  return (body['results'] as Row[])[0] as { stats: Row; last_refresh_time: string; campaign_id: string };
};
const rowsOf = ({ body }: { body: Row }) =>
  (body['results'] ?? body['campaigns'] ?? body['bulk_email_campaign_summaries']) as Row[];
const idsOf = (answer: { body: Row }) => rowsOf(answer).map((row) => row['id'] ?? row['campaign_id']);
const namesOf = (answer: { body: Row }) => rowsOf(answer).map(({ name }) => name);

/** Query of the link to the next page. */
function nextOf({ body }: { body: Row }): string | undefined {
  const { meta, _links } = body as {
    meta?: { pagination: { next_link?: string } };
    _links?: { next: { href: string } };
  };
  return (meta?.pagination.next_link ?? _links?.next.href)?.replace(/^[^?]*/, '');
}

describe("v2's list", () => {
  test('has id, name, status and modification date, the latest first', async () => {
    campaign('1');
    campaign('2', { name: 'Spring sale', modifiedMs: newestMs + dayMs });
    const { body } = await v2();
    expect(body).toEqual({
      meta: { pagination: {} },
      results: [
        { id: '2', name: 'Spring sale', status: 'SENT', modified_date: '2026-01-02T12:00:00.000Z' },
        { id: '1', name: 'Campaign 1', status: 'SENT', modified_date: '2026-01-01T12:00:00.000Z' },
      ],
    });
  });

  test('has deleted campaigns only on request', async () => {
    for (const status of statuses) campaign(String(statuses.indexOf(status)), { status });
    expect(rowsOf(await v2()).map(({ status }) => status)).toEqual(['SENT', 'DRAFT', 'SCHEDULED', 'RUNNING', 'ERROR']);
    expect(idsOf(await v2('?status=ALL'))).toHaveLength(5);
    for (const [status, id] of Object.entries({ DELETED: '5', SENT: '0', SCHEDULED: '2', RUNNING: '3', DRAFT: '1' }))
      expect(idsOf(await v2(`?status=${status}`))).toEqual([id]);
    expect((await v2('?status=sent')).status).toBe(400);
  });

  test('orders sent ones by their last run, scheduled ones by their next', async () => {
    campaign('1', { lastRunMs: newestMs, modifiedMs: newestMs + 9 });
    campaign('2', { lastRunMs: newestMs + 1, modifiedMs: newestMs });
    campaign('3', { status: 'SCHEDULED', nextRunMs: newestMs + 2 });
    campaign('4', { status: 'SCHEDULED', nextRunMs: newestMs + 1 });
    expect(idsOf(await v2('?status=SENT'))).toEqual(['2', '1']);
    expect(idsOf(await v2('?status=SCHEDULED'))).toEqual(['4', '3']);
  });

  test('has at most 50 a page; its pages carry the filters and shift', async () => {
    for (let n = 1; n <= 60; n++) campaign(String(n), { modifiedMs: newestMs - n });
    campaign('61', { modifiedMs: newestMs - dayMs });
    expect(idsOf(await v2())).toHaveLength(50);
    expect((await v2('?limit=51')).status).toBe(400);
    expect((await v2('?next=nonsense')).status).toBe(400);
    const first = await v2('?limit=30&status=SENT&modified_since=2025-12-31T18:00:00%2B01:00');
    const text = Buffer.from(nextOf(first)?.slice('?next='.length) ?? '', 'base64url').toString();
    expect(text).toMatch(/^pageNum=2&pageSize=30&status=SENT&modified_since=/);
    campaign('62', { modifiedMs: newestMs + dayMs, lastRunMs: newestMs + dayMs });
    const second = await v2(nextOf(first));
    expect(idsOf(second)[0]).toBe(idsOf(first)[29]);
    expect(idsOf(await v2(nextOf(second)))).toHaveLength(1);
    expect(nextOf(await v2(nextOf(second)))).toBeUndefined();
  });
});

test("v2's campaign has its details, counts and links, and none if it is deleted", async () => {
  const urls = [
    { url: 'https://a.example/', clicks: 50 },
    { url: 'https://b.example/', clicks: 30 },
  ];
  campaign('1', { urls, subject: 'Hello', fromName: 'Ada', fromEmail: 'ada@example.com', spam: 6 });
  const current = { sends: 640, opens: 240, clicks: 60, bounces: 20, forwards: 2, unsubscribes: 5, spam_count: 6 };
  const { body } = await v2('/1?updateSummary=true');
  expect(body).toMatchObject({
    ...{
      id: '1',
      name: 'Campaign 1',
      status: 'SENT',
      subject: 'Hello',
      from_name: 'Ada',
      from_email: 'ada@example.com',
    },
    ...{ reply_to_email: 'ada@example.com', template_type: 'CUSTOM', permalink_url: expect.stringContaining('https:') },
    ...{ created_date: '2025-12-29T12:00:00.000Z', modified_date: '2026-01-01T12:00:00.000Z' },
    last_run_date: '2026-01-01T12:00:00.000Z',
    sent_to_contact_lists: [{ id: '1' }],
    tracking_summary: current,
    click_through_details: [
      { url: 'https://a.example/', url_uid: '1', click_count: 50 },
      { url: 'https://b.example/', url_uid: '2', click_count: 30 },
    ],
  });
  expect(body).not.toHaveProperty('next_run_date');
  expect((await v2('/1/tracking/reports/summary?updateSummary=true')).body).toEqual(current);

  const stale = (await v2('/1')).body;
  expect(stale['tracking_summary']).toMatchObject({ sends: 0, opens: 0, clicks: 0 });
  expect(stale['click_through_details']).toMatchObject([{ click_count: 0 }, { click_count: 0 }]);
  sandbox.update('1', { countedMs: newestMs + 2 * dayMs });
  const { opens } = (await v2('/1')).body['tracking_summary'] as { opens: number };
  expect(opens).toBeGreaterThan(100);
  expect(opens).toBeLessThan(240);

  expect((await v2('/1?limit=2')).status).toBe(400);
  expect((await v2('/2')).status).toBe(404);
  sandbox.remove('1');
  for (const path of ['/1', '/1/tracking/reports/summary', '/1/tracking/opens'])
    expect((await v2(path)).status).toBe(404);
});

describe("v3's list", () => {
  test('has every campaign once, the latest update first, in any status', async () => {
    for (const [n, status] of statuses.entries()) campaign(String(n), { status, modifiedMs: newestMs + n });
    campaign('9', { resendOf: '0', modifiedMs: newestMs + dayMs });
    const rows = rowsOf(await v3());
    expect(rows.map((row) => row['current_status'])).toEqual([
      'Removed',
      'Error',
      'Executing',
      'Scheduled',
      'Draft',
      'Done',
    ]);
    expect(rows[5]).toEqual({
      ...{
        campaign_id: campaignIdOf('0'),
        name: 'Campaign 0',
        current_status: 'Done',
        type: 'NEWSLETTER',
        type_code: 10,
      },
      ...{ created_at: '2025-12-29T12:00:00.000Z', updated_at: '2026-01-01T12:00:00.000Z' },
    });
    expect((await get(`/v3/emails/${campaignIdOf('5')}`)).body).toMatchObject({ current_status: 'REMOVED' });
  });

  test('has 50 a page, and 500 at most; limit and filters stand beside the cursor', async () => {
    for (let n = 1; n <= 60; n++) campaign(String(n), { modifiedMs: newestMs + n });
    expect(idsOf(await v3())).toHaveLength(50);
    expect(nextOf(await v3())).toBe('?limit=50&next=MQ**');
    expect(idsOf(await v3('?limit=500'))).toHaveLength(60);
    for (const search of ['?limit=501', '?limit=0', '?next=1', '?status=Done', '?after_date=soon'])
      expect([search, (await v3(search)).status]).toEqual([search, 400]);
    const after = new Date(newestMs + 50).toISOString();
    const first = await v3(`?limit=7&after_date=${after}`);
    expect(nextOf(first)).toBe(`?limit=7&next=MQ**&after_date=${encodeURIComponent(after)}`);
    const second = await v3(nextOf(first));
    expect(namesOf(second)).toEqual(['Campaign 53', 'Campaign 52', 'Campaign 51']);
    expect(nextOf(second)).toBeUndefined();
    expect(namesOf(await v3(`?before_date=${new Date(newestMs + 3).toISOString()}`))).toEqual([
      'Campaign 2',
      'Campaign 1',
    ]);
  });
});

test("v3's summaries have what was sent, the latest first, without names, for those who may see reports", async () => {
  for (const [n, status] of statuses.entries()) campaign(String(n), { status });
  campaign('7', { lastRunMs: newestMs + 1, bareSummary: true });
  campaign('8', { lastRunMs: newestMs + 2, textCounts: true });
  const all = await summaries();
  expect(idsOf(all)).toEqual(['8', '7', '0'].map(campaignIdOf));
  expect(rowsOf(all)[1]).toEqual({ campaign_id: campaignIdOf('7') });
  expect(rowsOf(all)[0]).toMatchObject({ unique_counts: { sends: '640' } });
  expect(rowsOf(all)[2]).toEqual({
    ...{ campaign_id: campaignIdOf('0'), campaign_type: 'Newsletter', last_sent_date: '2026-01-01T12:00:00.000Z' },
    unique_counts: {
      ...{ sends: 640, opens: 240, clicks: 60, forwards: 2, optouts: 5, abuse: 0, bounces: 20, not_opened: 380 },
    },
  });
  const first = await summaries('?limit=2');
  expect(nextOf(first)).toBe('?limit=2&next=MQ**');
  expect(idsOf(await summaries(nextOf(first)))).toEqual([campaignIdOf('0')]);
  expect((await summaries('?limit=501')).status).toBe(400);
  sandbox.privileges = [];
  expect((await summaries()).status).toBe(403);
});

describe('counts agree with the rows', () => {
  const contactsIn = async (path: string) => {
    const { body } = await get(`${v3Reports}/tracking/${path}`);
    return new Set((body['tracking_activities'] as Row[]).map((row) => row['contact_id'])).size;
  };

  test("in v3's statistics, by contacts and by rows, and by kind", async () => {
    const { report } = { report: campaign('1', { lastRefreshMs: newestMs }).report('bounces') };
    for (const name of ['opens', 'clicks', 'bounces'] as const) sandbox.add('1', name, 3);
    const { stats: counts, last_refresh_time, campaign_id } = await stats();
    expect({ last_refresh_time, campaign_id }).toEqual({
      ...{ last_refresh_time: '2026-01-01T12:00:00Z', campaign_id: campaignIdOf('1') },
    });
    expect(counts).toMatchObject({ em_sends: 640, em_opens_all: 323, em_clicks_all: 83, em_bounces: report.size });
    expect(counts).toMatchObject({ em_opens: await contactsIn('opens'), em_clicks: await contactsIn('clicks') });
    const sum = (prefix: string) =>
      Object.entries(counts)
        .filter(([name]) => name.startsWith(prefix))
        .reduce((total, [, count]) => total + Number(count), 0);
    expect([sum('em_opens_all_'), sum('em_clicks_all_'), sum('em_bounces_')]).toEqual([323, 83, 23]);
    expect(counts['em_bounces_mailbox_full']).toBe(await contactsIn('bounces?bounce_code=F'));
    sandbox.update('1', { dottedStats: true, textCounts: true });
    expect((await stats()).stats).toMatchObject({ 'em_opens.all.mobile': expect.any(String), em_not_opened: '374' });
  });

  test("in v3's links, by contacts", async () => {
    campaign('1', { urls: [{ url: 'https://a.example/' }, { url: 'https://b.example/', clicks: 0 }, { url: 'c' }] });
    const links = async (search = '') => (await get(`${v3Reports}/links${search}`)).body['link_click_counts'] as Row[];
    expect(await links()).toMatchObject([
      { link_url: 'https://a.example/', url_id: expect.stringMatching(/^\d{13}$/), list_action: 'add' },
      { link_url: 'c' },
    ]);
    expect(await links('?no_clicks=true')).toHaveLength(3);
    for (const { url_id, unique_clicks } of await links('?no_clicks=true'))
      expect(unique_clicks).toBe(await contactsIn(`clicks?url_id=${url_id}`));
    expect((await get(`${v3Reports}/links?limit=2`)).status).toBe(400);
    sandbox.update('1', { status: 'SCHEDULED' });
    expect(await links()).toEqual([]);
    expect((await get(`/v3/reports/email_reports/${activityIdOf('2')}/links`)).status).toBe(404);
  });

  test('in v2, of rows if configured', async () => {
    campaign('1', { v2Counts: 'rows' });
    expect((await v2('/1?updateSummary=true')).body['tracking_summary']).toMatchObject({ opens: 320, clicks: 80 });
  });
});

test('a campaign can be changed and removed while the sandbox runs, from another process too', async () => {
  campaign('1');
  const order = (orders: object) => fetch(`${sandbox.url}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });
  await order({ update: { campaign: '1', name: 'Renamed', status: 'EXECUTING', modifiedMs: newestMs + 1 } });
  expect(rowsOf(await v2())).toMatchObject([
    { name: 'Renamed', status: 'RUNNING', modified_date: '2026-01-01T12:00:00.001Z' },
  ]);
  await order({ update: { campaign: '1', subject: 'New' } });
  expect(Date.parse(String(rowsOf(await v2())[0]?.['modified_date']))).toBeGreaterThan(newestMs + dayMs);
  expect((await get(`/v3/emails/activities/${activityIdOf('1')}`)).body).toMatchObject({ subject: 'New' });
  await order({ add: { campaign: '1', report: 'forwards', count: 4 } });
  expect((await v2('/1?updateSummary=true')).body['tracking_summary']).toMatchObject({ sends: 640, forwards: 6 });
  await order({ remove: '1' });
  expect(rowsOf(await v2())).toEqual([]);
  expect(rowsOf(await v3())).toMatchObject([{ name: 'Renamed', current_status: 'Removed' }]);
});

/**
 * The client's walks: every row of each report, and every campaign of the directory, once, whatever changes meanwhile.
 */
import { afterEach, describe, expect, test } from '@jest/globals';
import { type Campaign, createClient, type ReportName, type Rows } from '../src/client/client.ts';
import type { CampaignOptions } from '../src/sandbox/campaign.ts';
import { campaignIdOf } from '../src/sandbox/v3.ts';
import { api, type Environment, type Harness, idOf, start } from './support/harness.ts';

const reports = ['sends', 'opens', 'clicks', 'bounces', 'forwards', 'unsubscribes'] as const;
const dateOf = {
  sends: (row: Rows['sends']) => row.send_date,
  opens: (row: Rows['opens']) => row.open_date,
  clicks: (row: Rows['clicks']) => row.click_date,
  bounces: (row: Rows['bounces']) => row.bounce_date,
  forwards: (row: Rows['forwards']) => row.forward_date,
  unsubscribes: (row: Rows['unsubscribes']) => row.unsubscribe_date,
} as Record<ReportName, (row: Rows[ReportName]) => string>;
const dayMs = 86_400_000;
const size = 1_200;
let it: Harness;
afterEach(() => it?.close());

async function begin(env: Environment = {}) {
  it = await start(env);
  return createClient({ baseUrl: it.url });
}

const campaign = (options: Partial<CampaignOptions> = {}) => {
  const sizes = Object.fromEntries(reports.map((report) => [report, { size }]));
  return it.sandbox.campaign({ id: '1', size, newestMs: Date.now() - 90 * dayMs, reports: sizes, ...options });
};

async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

describe.each(reports)('a walk through the %s', (report) => {
  const truth = (of: ReturnType<typeof campaign>) =>
    Array.from({ length: size }, (_, index) => {
      const { email, atMs } = of.report(report).at(index);
      return `${new Date(atMs).toISOString()} ${email}`;
    });
  const told = (rows: readonly Rows[ReportName][]) => rows.map((row) => `${dateOf[report](row)} ${row.email_address}`);

  test('yields each row once, newest first, from an instant or the start', async () => {
    const client = await begin();
    const expected = truth(campaign());
    const rows = await all(client.report(idOf('1'), report));
    expect(told(rows)).toEqual(expected);
    expect(new Set(rows.map(({ campaign_id }) => campaign_id))).toEqual(new Set([idOf('1')]));
    const createdSince = expected[99]?.slice(0, 24) ?? '';
    const since = await all(client.report(idOf('1'), report, { createdSince: new Date(createdSince) }));
    expect(told(since)).toEqual(expected.filter((row) => row.slice(0, 24) >= createdSince));
  });

  test('yields each row once, even if others arrive meanwhile', async () => {
    const client = await begin();
    const expected = truth(campaign());
    const rows: Rows[ReportName][] = [];
    for await (const row of client.report(idOf('1'), report)) {
      if (rows.push(row) !== 100) continue;
      it.sandbox.add('1', report, 150);
      it.clock.forward(70);
      await it.get(`/campaigns/1/${report}`, { 'cache-control': 'no-cache' });
    }
    expect(told(rows)).toEqual(expected);
  });

  test('continues after a page', async () => {
    const client = await begin();
    const expected = truth(campaign());
    const first = await client.reportPages(idOf('1'), report, { limit: 300 }).next();
    expect(first.value?.rows.length).toBe(300);
    const from = first.value?.next ?? '';
    const rest = await all(client.reportPages(idOf('1'), report, { from }));
    expect(rest.map(({ rows }) => rows.length)).toEqual([300, 300, 300]);
    expect(told(rest.flatMap(({ rows }) => rows))).toEqual(expected.slice(300));
    expect(rest.at(-1)?.next).toBeUndefined();
    expect(rest[0]?.url).toBe(from);
  });
});

describe('the clicks on a link', () => {
  test('are those of the report with its id, in pages too', async () => {
    const client = await begin();
    campaign();
    const clicks = await all(client.report(idOf('1'), 'clicks'));
    const links = await client.links(idOf('1'));
    expect(links.length).toBe(4);
    for (const { link_id: linkId, clicks: count } of links) {
      const expected = clicks.filter(({ link_id }) => link_id === linkId);
      expect(await all(client.report(idOf('1'), 'clicks', { linkId }))).toEqual(expected);
      const different = new Set(expected.map(({ contact_id }) => contact_id)).size;
      expect(count).toBe(api === 'v3' ? different : expected.length);
      const pages = await all(client.reportPages(idOf('1'), 'clicks', { linkId, limit: 40 }));
      expect(pages.flatMap(({ rows }) => rows)).toEqual(expected);
    }
  });
});

describe('a walk through the directory', () => {
  const count = 130;
  const newestMs = Date.now() - dayMs;
  /** The id of a campaign in the directory. */
  const listedId = (id: string) => (api === 'v3' ? campaignIdOf(id) : id);
  const ids = (campaigns: readonly Campaign[]) => campaigns.map(({ id }) => id);
  const add = (id: string, atMs: number, options: Partial<CampaignOptions> = {}) =>
    campaign({ id, size: 10, newestMs: atMs, modifiedMs: atMs, reports: {}, ...options });

  /** Adds campaigns, `1` the last changed. Returns their ids in order. */
  function addCampaigns(number = count): string[] {
    const names = Array.from({ length: number }, (_, index) => String(index + 1));
    names.forEach((id, index) => void add(id, newestMs - index * 60_000));
    return names.map(listedId);
  }

  test('yields each campaign once, the last changed first', async () => {
    const client = await begin();
    const expected = addCampaigns();
    const found = await all(client.campaigns());
    expect(ids(found)).toEqual(expected);
    expect(found[0]).toMatchObject({
      name: 'Campaign 1',
      status: 'SENT',
      modified_date: new Date(newestMs).toISOString(),
    });
  });

  test('selects campaigns by status and date', async () => {
    const client = await begin();
    const expected = addCampaigns();
    it.sandbox.update('2', { status: 'DRAFT', modifiedMs: newestMs - 60_000 });
    it.sandbox.update('3', { status: 'REMOVED', modifiedMs: newestMs - 120_000 });
    expect(ids(await all(client.campaigns({ status: 'DRAFT' })))).toEqual([listedId('2')]);
    expect(ids(await all(client.campaigns({ status: 'DELETED' })))).toEqual([listedId('3')]);
    const modifiedSince = new Date(newestMs - 4 * 60_000);
    const since = expected.slice(0, 5).filter((id) => id !== listedId('3'));
    expect(ids(await all(client.campaigns({ modifiedSince })))).toEqual(since);
    expect(ids(await all(client.campaigns({ status: 'SENT', modifiedSince: modifiedSince.toISOString() })))).toEqual(
      since.filter((id) => id !== listedId('2')),
    );
  });

  test('continues after a page, with its filters', async () => {
    const client = await begin();
    const expected = addCampaigns();
    it.sandbox.update('60', { status: 'DRAFT' });
    const pages = client.campaignPages({ status: 'SENT', limit: 40 });
    const { value: first } = await pages.next();
    await pages.return();
    const rest = await all(client.campaignPages({ from: first?.next ?? '' }));
    expect(rest.map(({ rows }) => rows.length)).toEqual([40, 40, 9]);
    expect([first, ...rest].flatMap((page) => ids(page?.rows ?? []))).toEqual(
      expected.filter((id) => id !== listedId('60')),
    );
  });

  /** Walks, and calls `change` at the end of a page. */
  async function walkDuring(change: () => void, page = 1, fetch = globalThis.fetch): Promise<string[]> {
    const found: string[] = [];
    for await (const { id } of createClient({ baseUrl: it.url, fetch }).campaigns()) {
      if (found.push(id) === page * 50) change();
    }
    return found;
  }

  test.each([130, 530])('misses and repeats none of %d that change or are added meanwhile', async (number) => {
    await begin();
    const expected = addCampaigns(number);
    const found = await walkDuring(() => {
      it.clock.forward(400);
      for (const id of ['120', '75', '51', '3']) it.sandbox.update(id, {});
      for (const id of ['901', '902', '903']) add(id, it.clock.now());
    });
    expect(new Set(found).size).toBe(found.length);
    expect(new Set(found)).toEqual(new Set([...expected, ...['901', '902', '903'].map(listedId)]));
  });

  test('misses and repeats none, even if more change than a page holds', async () => {
    await begin();
    const expected = addCampaigns(160);
    const found = await walkDuring(() => {
      it.clock.forward(400);
      for (let id = 101; id <= 160; id++) it.sandbox.update(String(id), {});
    }, 2);
    expect(new Set(found).size).toBe(found.length);
    expect(new Set(found)).toEqual(new Set(expected));
  });

  test.each([
    [130, '120'],
    [530, '520'],
  ])('waits for a newer first page of %d campaigns if one that changed is missing', async (number, id) => {
    await begin();
    const expected = addCampaigns(number);
    const change = () => it.sandbox.update(id, {});
    // Sendgate keeps a first page for a minute, which is over when the walk asks for it the second time.
    let asked = 0;
    const later: typeof fetch = (url, init) => {
      if (new Headers(init?.headers).get('cache-control') === 'no-cache' && ++asked === 2) it.clock.forward(70);
      return fetch(url, init);
    };
    expect(new Set(await walkDuring(change, 1, later))).toEqual(new Set(expected));
    if (api === 'v2') expect(asked).toBe(2);
  });

  test('asks for the first page again, unless that was all', async () => {
    await begin();
    const expected = addCampaigns();
    const asked: string[] = [];
    const { campaigns } = createClient({
      baseUrl: it.url,
      patienceSeconds: 0,
      fetch: (url, init) => {
        asked.push(
          `${new Headers(init?.headers).get('cache-control') ?? ''}${new URL(String(url)).search.slice(0, 5)}`,
        );
        return fetch(url, init);
      },
    });
    // Without patience, also if one is missing.
    for await (const { id } of campaigns()) if (id === expected[49]) it.sandbox.update('120', {});
    expect(asked).toEqual(['', '?next', '?next', 'no-cache']);
    asked.length = 0;
    const modifiedSince = new Date(newestMs - 10 * 60_000);
    await all(campaigns({ modifiedSince }));
    expect(asked).toEqual(['?modi']);
  });

  test('ends when aborted, or when its reader stops', async () => {
    const { campaigns } = await begin();
    addCampaigns();
    const abort = new AbortController();
    const found: string[] = [];
    const reading = (async () => {
      for await (const { id } of campaigns({ signal: abort.signal })) {
        if (found.push(id) === 10) abort.abort(new Error('enough'));
      }
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(found.length).toBe(10);
    for await (const _ of campaigns({ status: 'SENT' })) break;
  });

  test('leads to each campaign, its summary and its links', async () => {
    const client = await begin();
    add('7', newestMs, { name: 'Spring sale', size: 2_048, subject: 'Now', urls: [{ url: 'https://a.example/' }] });
    const [{ id = '' } = {}] = await all(client.campaigns());
    const { activities, ...details } = await client.campaign(id);
    expect(details).toMatchObject({ id, name: 'Spring sale', subject: 'Now', status: 'SENT' });
    expect(activities.length).toBe(api === 'v3' ? 1 : 0);
    const { as_of, ...counts } = await client.summary(id);
    expect(counts).toMatchObject({ campaign_id: id, sends: 2_048, spam_count: 1 });
    expect(Date.parse(as_of)).not.toBeNaN();
    expect((await client.links(id)).map(({ url }) => url)).toEqual(['https://a.example/']);
    expect((await all(client.report(id, 'sends'))).length).toBe(2_048);
  });

  test('is refused with the parameter and what is allowed', async () => {
    const { campaigns, campaign: one, links } = await begin();
    await expect(all(campaigns({ modifiedSince: 'soon' }))).rejects.toMatchObject({
      code: 'invalid-request',
      problem: { errors: [{ parameter: 'modified_since' }] },
    });
    await expect(one(idOf('404'))).rejects.toMatchObject({ code: 'campaign-not-found', status: 404 });
    await expect(links('../status')).rejects.toMatchObject({ code: 'invalid-request' });
  });
});

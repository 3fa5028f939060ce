/**
 * The directory of campaigns, and one campaign with its counts and links.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { CampaignOptions } from '../src/sandbox/campaign-options.ts';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import { ask } from './support/ask.ts';
import { api, type Harness, start, until } from './support/harness.ts';

const hourMs = 3_600_000;
const isV3 = api === 'v3';
/** The id of a campaign in the directory. */
const idOf = (id: string) => (isV3 ? campaignIdOf(id) : id);

let it: Harness;
beforeEach(async () => {
  it = await start();
});
afterEach(() => it.close());

/** A campaign that went out some hours ago. */
const campaign = (id: string, hoursAgo: number, options: Partial<CampaignOptions> = {}) =>
  it.sandbox.campaign({ id, size: 1_000, newestMs: it.clock.now() - hoursAgo * hourMs, ...options });

interface DirectoryJson {
  readonly meta: { readonly pagination: { readonly next_link?: string } };
  readonly results: readonly Readonly<Record<string, string>>[];
}
// By their own URLs: `it.get` replaces v2's ids.
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${it.url}${path}`, { headers });
const json = async (path: string) => (await (await get(path)).json()) as never;
const directory = (path = '/campaigns'): Promise<DirectoryJson> => json(path);

async function walk(path: string): Promise<Readonly<Record<string, string>>[]> {
  const rows: Readonly<Record<string, string>>[] = [];
  for (let next: string | undefined = path; next; ) {
    const page: DirectoryJson = await directory(next);
    rows.push(...page.results);
    next = page.meta.pagination.next_link;
    if (next) expect(page.results.length).toBeGreaterThan(0);
  }
  return rows;
}

function addEach(count: number, of: (n: number) => Partial<CampaignOptions> = () => ({})): void {
  for (let n = 1; n <= count; n++) campaign(String(n), n, { size: 10, name: `Campaign ${n}`, ...of(n) });
}

describe('The directory', () => {
  test("lists each campaign with v2's fields, in their order", async () => {
    const modifiedMs = it.clock.now() - hourMs;
    const lastRunMs = it.clock.now() - 48 * hourMs;
    campaign('7', 48, { name: 'Spring sale', modifiedMs, lastRunMs });
    const { meta, results } = await directory();
    expect(meta).toEqual({ pagination: {} });
    expect(results).toEqual([
      {
        id: idOf('7'),
        name: 'Spring sale',
        status: 'SENT',
        modified_date: new Date(modifiedMs).toISOString(),
        // v2's list does not say when a campaign went out.
        last_run_date: isV3 ? new Date(lastRunMs).toISOString() : '',
      },
    ]);
    expect(Object.keys(results[0] ?? {})).toEqual(['id', 'name', 'status', 'modified_date', 'last_run_date']);
  });

  test('has pages of at most 50, to be followed by next_link or Link', async () => {
    addEach(120);
    const first = await get('/campaigns');
    const { meta, results } = (await first.json()) as DirectoryJson;
    expect(results).toHaveLength(50);
    expect(meta.pagination.next_link).toMatch(/^\/campaigns\?next=[\w.%-]+$/);
    expect(first.headers.get('link')).toBe(`<${meta.pagination.next_link}>; rel="next"`);
    const rows = await walk('/campaigns?limit=7');
    expect(new Set(rows.map(({ id }) => id)).size).toBe(120);
    expect(rows).toHaveLength(120);
  });

  test('is filtered by status, in upper or lower case, on every page', async () => {
    const statuses = ['DRAFT', 'SCHEDULED', 'EXECUTING', 'DONE', 'REMOVED'] as const;
    addEach(25, (n) => ({ status: statuses[n % 5] ?? 'DONE' }));
    const statusesOf = async (search: string) => [
      ...new Set((await walk(`/campaigns?limit=2${search}`)).map(({ status }) => status)),
    ];
    expect((await statusesOf('')).toSorted()).toEqual(['DRAFT', 'RUNNING', 'SCHEDULED', 'SENT']);
    expect(await statusesOf('&status=sent')).toEqual(['SENT']);
    expect(await statusesOf('&status=DELETED')).toEqual(['DELETED']);
    expect(await walk('/campaigns?limit=2&status=all')).toHaveLength(25);
    expect(await walk('/campaigns?limit=2&status=Running')).toHaveLength(5);
    expect((await directory('/campaigns?status=draft&limit=1')).meta.pagination.next_link).toMatch(
      /^\/campaigns\?status=DRAFT&next=/,
    );
  });

  test('is filtered by the last change', async () => {
    addEach(10);
    const since = new Date(it.clock.now() - 4.5 * hourMs).toISOString();
    const rows = await walk(`/campaigns?limit=2&modified_since=${since}`);
    expect(rows.map(({ name }) => name).toSorted()).toEqual(['Campaign 1', 'Campaign 2', 'Campaign 3', 'Campaign 4']);
    const { meta } = await directory(`/campaigns?limit=2&status=SENT&modified_since=${since}`);
    expect(meta.pagination.next_link).toContain(`/campaigns?modified_since=${since}&status=SENT&next=`);
  });

  test('honours a filter beside the cursor of another walk, or refuses it with the reason', async () => {
    addEach(10);
    const nextOf = async (search: string) =>
      (await directory(`/campaigns?limit=2${search}`)).meta.pagination.next_link?.split('next=')[1];
    const instant = (hours: number) => new Date(it.clock.now() - hours * hourMs).toISOString();
    const [filtered, whole] = [await nextOf(`&modified_since=${instant(8.5)}`), await nextOf('')];
    for (const [next, since] of [
      [whole, instant(4.5)],
      [filtered, instant(4.5)],
      [filtered, instant(20)],
    ]) {
      const answer = await get(`/campaigns?modified_since=${since}&next=${next}`);
      const text = await answer.text();
      if (answer.status === 400) expect(text).toContain('another `modified_since`');
      else
        for (const row of (JSON.parse(text) as DirectoryJson).results)
          expect(`${row.modified_date}` >= `${since}`).toBe(true);
    }
    for (const status of ['SENT', 'DRAFT']) {
      const { results } = await directory(`/campaigns?status=${status}&next=${whole}`);
      for (const row of results) expect(row.status).toBe(status);
    }
  });

  test.each([
    ['limit=51', 'limit', 'an integer from 1 to 50'],
    ['limit=0', 'limit', 'an integer from 1 to 50'],
    ['status=sold', 'status', 'ALL, DRAFT, RUNNING, SENT, SCHEDULED, DELETED'],
    ['status=SENT&status=SENT', 'status', 'once'],
    ['modified_since=yesterday', 'modified_since', 'an ISO-8601 date'],
    ['created_since=2026-01-01', 'created_since', 'modified_since, status, limit, next'],
    ['link_id=1', 'link_id', 'modified_since, status, limit, next'],
    ['api_key=x', 'api_key', 'no credentials'],
  ])('%s gets 400, which says what is allowed', async (search, parameter, allowed) => {
    const answer = await get(`/campaigns?${search}`);
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as { errors: { parameter: string; allowed: string }[] };
    expect(errors).toEqual([expect.objectContaining({ parameter, allowed: expect.stringContaining(allowed) })]);
    expect(it.sandbox.callCount).toBe(0);
  });

  test('answers an invalid cursor with 400', async () => {
    campaign('7', 1);
    const answer = await get('/campaigns?next=bm9uZQ');
    expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([
      400,
      '/problems/invalid-cursor',
    ]);
  });

  test('is cached like a page: ETag and 304, HEAD, Age, one call for all', async () => {
    addEach(60);
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/campaigns')));
    expect(it.sandbox.callCount).toBe(isV3 ? 2 : 1);
    const [first] = answers;
    expect(first?.headers.get('last-modified')).toBeNull();
    const etag = first?.headers.get('etag') ?? '';
    it.clock.forward(30);
    // By hand: with If-None-Match, fetch asks for a fresh page.
    const again = await ask(`${it.url}/campaigns`, { 'If-None-Match': etag });
    expect([again.status, again.headers['age']]).toEqual([304, '30']);
    expect(again.headers['cache-status']).toMatch(/^sendgate; hit; ttl=\d+$/);
    const head = await fetch(`${it.url}/campaigns`, { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), await head.text()]).toEqual([200, etag, '']);
    expect((await fetch(`${it.url}/campaigns`, { method: 'POST' })).status).toBe(405);
    expect((await get('/campaigns', { Accept: 'text/html' })).status).toBe(406);
    it.sandbox.fault({ kind: 'status', status: 500 });
    it.clock.forward(600);
    const stale = await get('/campaigns', { 'Cache-Control': 'no-cache' });
    expect(stale.headers.get('cache-status')).toMatch(/^sendgate; hit; ttl=-\d+; detail=stale-if-error$/);
  });

  if (isV3) {
    test('is listed without the summaries, too, which are tried again soon', async () => {
      addEach(3);
      it.sandbox.fault({ kind: 'status', status: 400, path: '/summary_reports/', times: 1 });
      const first = await get('/campaigns');
      expect(((await first.json()) as DirectoryJson).results.map((row) => row['last_run_date'])).toEqual(['', '', '']);
      it.clock.forward(61);
      await directory();
      await until(async () => (await directory()).results[0]?.['last_run_date'] !== '', 'it is complete');
    });

    test('keeps its dates while the summaries fail', async () => {
      addEach(3);
      const dates = async () => (await directory()).results.map((row) => row['last_run_date']);
      const known = await dates();
      it.sandbox.fault({ kind: 'status', status: 500, path: '/summary_reports/' });
      it.clock.forward(400);
      await dates();
      await until(() => it.lines.some((line) => line.includes('upstream.call_failed')), 'the refresh has failed');
      expect(await dates()).toEqual(known);
    });
  }

  test('costs two calls for 500 campaigns with v3, and one for 50 with v2', async () => {
    addEach(500, () => ({ size: 1 }));
    expect(await walk('/campaigns')).toHaveLength(500);
    expect(it.sandbox.callCount).toBe(isV3 ? 2 : 10);
  });
});

describe('An export of the directory', () => {
  test('is CSV or NDJSON of all campaigns, with the filters', async () => {
    addEach(120, (n) => ({ status: n % 2 ? 'DONE' : 'DRAFT' }));
    const csv = await get('/campaigns.csv?status=sent');
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="campaigns-status-SENT.csv"');
    const lines = (await csv.text()).trimEnd().split('\r\n');
    expect([lines[0], lines.length]).toEqual(['id,name,status,modified_date,last_run_date', 61]);
    const rows = (await (await get('/campaigns.ndjson')).text()).trimEnd().split('\n');
    expect(new Set(rows.map((row) => (JSON.parse(row) as { id: string }).id)).size).toBe(120);
    expect(rows).toHaveLength(120);
  });

  test.each([
    ['is added', (n: number) => void campaign(String(1_000 + n), 0, { size: 1 })],
    ['is changed', (n: number) => it.sandbox.update(String((isV3 ? 1_000 : 100) - n), { modifiedMs: it.clock.now() })],
    ['is deleted', (n: number) => it.sandbox.remove(String(n + 1))],
  ])('loses and repeats none while a campaign %s with every call', async (_, change) => {
    addEach(isV3 ? 1_100 : 160, () => ({ size: 1 }));
    const before = new Set((await walk('/campaigns')).map(({ id }) => id));
    await it.service.pages.purge();
    // A change with every call but the first, right before its answer.
    const { calls } = it.sandbox;
    let arrived = 0;
    calls.push = (...news) => {
      if (arrived > 0 && arrived < 10) change(arrived);
      arrived++;
      return Array.prototype.push.apply(calls, news);
    };
    const rows = (await (await get('/campaigns.ndjson')).text()).trimEnd().split('\n');
    const ids = rows.map((row) => (JSON.parse(row) as { id: string }).id);
    expect(new Set(ids).size).toBe(ids.length);
    await it.service.pages.purge();
    const left = new Set((await walk('/campaigns')).map(({ id }) => id));
    for (const id of before) if (left.has(id)) expect(ids).toContain(id);
  });
});

describe('A campaign', () => {
  test('is described, with its counts and links', async () => {
    const [createdMs, modifiedMs, lastRunMs] = [72, 50, 48].map((hours) => it.clock.now() - hours * hourMs) as [
      ...[number, number, number],
    ];
    const dateOf = (ms: number) => new Date(ms).toISOString();
    campaign('7', 48, {
      ...{ name: 'Spring sale', subject: '20 % off', fromName: 'Shop', fromEmail: 'shop@example.com' },
      ...{ createdMs, modifiedMs, lastRunMs },
    });
    const id = idOf('7');
    expect(await json(`/campaigns/${id}`)).toEqual({
      ...{ id, name: 'Spring sale', status: 'SENT' },
      modified_date: dateOf(modifiedMs),
      last_run_date: dateOf(lastRunMs),
      ...{ subject: '20 % off', from_name: 'Shop', from_email: 'shop@example.com' },
      created_date: dateOf(createdMs),
      activities: isV3 ? [{ id: activityIdOf('7'), role: 'primary_email' }] : [],
    });
    const summary = (await json(`/campaigns/${id}/summary`)) as Record<string, number | string>;
    expect(Object.keys(summary)).toEqual([
      ...['campaign_id', 'sends', 'opens', 'clicks', 'forwards', 'unsubscribes', 'bounces', 'spam_count', 'as_of'],
    ]);
    expect(summary).toMatchObject({ campaign_id: id, sends: 1_000 });
    const { results } = (await json(`/campaigns/${id}/links`)) as { results: { clicks: number; url: string }[] };
    expect(results.length).toBeGreaterThan(1);
    expect(results.map(({ clicks }) => clicks)).toEqual(results.map(({ clicks }) => clicks).toSorted((a, b) => b - a));
    expect(Object.keys(results[0] ?? {})).toEqual(['link_id', 'url', 'clicks']);
  });

  test('costs one call for all of it with v2', async () => {
    campaign('7', 48);
    const answers = ['', '/summary', '/links'].map((path) => get(`/campaigns/${idOf('7')}${path}`));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
    if (!isV3) expect(it.sandbox.calls.map(({ path }) => path)).toEqual(['/v2/emailmarketing/campaigns/7']);
  });

  test.each(['', '/summary', '/links'])('%s is cached like a page', async (resource) => {
    campaign('7', 480);
    const path = `/campaigns/${idOf('7')}${resource}`;
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(path)));
    const calls = it.sandbox.callCount;
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const [first] = answers;
    expect(first?.headers.get('cache-status')).toMatch(/^sendgate; fwd=uri-miss; fwd-status=200/);
    expect(first?.headers.get('cache-control')).toBe('private, no-cache');
    it.clock.forward(60);
    const again = await ask(`${it.url}${path}`, { 'If-None-Match': first?.headers.get('etag') ?? '' });
    expect([again.status, again.headers['age']]).toEqual([304, '60']);
    expect((await fetch(`${it.url}${path}`, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(`${it.url}${path}`, { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect((await get(path, { Accept: 'text/csv' })).status).toBe(406);
    expect((await get(`${path}?limit=1`)).status).toBe(400);
    expect(it.sandbox.callCount).toBe(calls);
    // Stale on error, within `staleIfErrorSeconds`.
    it.sandbox.fault({ kind: 'status', status: 500 });
    it.clock.forward(2 * 24 * 3_600);
    const stale = await get(path, { 'Cache-Control': 'no-cache' });
    expect([stale.status, stale.headers.get('cache-status')]).toEqual([
      200,
      expect.stringMatching(/^sendgate; hit; ttl=-\d+; detail=stale-if-error$/),
    ]);
  });

  test.each([
    ['an hour ago', 1, 360],
    ['ten days ago', 240, 24 * 3_600],
    ['a minute ago', 1 / 60, 300],
    ['five days ago', 120, 12 * 3_600],
  ])('is fresh for a tenth of the time since its last run: %s', async (_, hoursAgo, seconds) => {
    campaign('7', hoursAgo);
    const path = `/campaigns/${idOf('7')}/summary`;
    await get(path);
    const ttl = Number(/ttl=(\d+)/.exec((await get(path)).headers.get('cache-status') ?? '')?.[1]);
    expect(Math.abs(ttl - seconds)).toBeLessThanOrEqual(2);
  });

  test('that is unknown is remembered as such', async () => {
    for (const resource of ['', '/summary', '/links']) {
      const answer = await get(`/campaigns/${idOf('404')}${resource}`);
      expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([
        404,
        '/problems/campaign-not-found',
      ]);
    }
    const calls = it.sandbox.callCount;
    await get(`/campaigns/${idOf('404')}/summary`);
    expect(it.sandbox.callCount).toBe(calls);
  });

  test('that was not sent has no counts', async () => {
    campaign('7', 1, { status: 'DRAFT', size: 0 });
    const summary = (await json(`/campaigns/${idOf('7')}/summary`)) as Record<string, unknown>;
    expect(summary['sends'] ?? 0).toBe(0);
    expect(((await json(`/campaigns/${idOf('7')}`)) as { status: string }).status).toBe('DRAFT');
  });

  test('has its summary at another path than in the first version', async () => {
    campaign('7', 1);
    const { status, headers } = await ask(`${it.url}/campaigns/007/sends/summary`);
    expect([status, headers['location']]).toEqual([308, '/campaigns/7/summary']);
    expect((await ask(`${it.url}/campaigns/7/sends/summary?api_key=secret`)).status).toBe(400);
  });

  test('is forgotten with its summary and links when it is purged', async () => {
    campaign('7', 240);
    const paths = ['', '/summary', '/links'].map((resource) => `/campaigns/${idOf('7')}${resource}`);
    for (const path of paths) await get(path);
    await it.service.pages.purge(idOf('7'));
    it.sandbox.forget();
    for (const path of paths) expect((await get(path)).headers.get('age')).toBe('0');
    expect(it.sandbox.callCount).toBe(isV3 ? 4 : 1);
  });
});

if (isV3) {
  describe('Counts with v3', () => {
    const statsCalls = () => it.sandbox.calls.filter(({ path }) => path.includes('/reports/stats/'));

    test('come from the summaries of all campaigns: two calls for them and the directory', async () => {
      addEach(40);
      const { results } = await directory();
      const summaries = await Promise.all(results.map(({ id }) => json(`/campaigns/${id}/summary`)));
      expect((summaries as { sends: number }[]).map(({ sends }) => sends)).toEqual(results.map(() => 10));
      expect(it.sandbox.callCount).toBe(2);
    });

    test('of activities come from statistics, ten a call', async () => {
      addEach(40);
      const ids = Array.from({ length: 40 }, (_, n) => activityIdOf(String(n + 1)));
      // At the same moment, which requests over HTTP are not.
      const query = (campaign: string) => ({ kind: 'first', resource: 'summary', campaign, limit: 1 }) as const;
      await Promise.all(ids.map((id) => it.service.pages.get(query(id), { team: 'default' })));
      const asked = statsCalls().map(({ path }) => path.split(',').length);
      expect(Math.max(...asked)).toBe(10);
      expect(asked.length).toBeLessThanOrEqual(8);
      // One more for all of them, which would say when they went out.
      const { callCount } = it.sandbox;
      expect(callCount).toBe(asked.length + 1);
      const summaries = await Promise.all(ids.map((id) => json(`/campaigns/${id}/summary`)));
      expect((summaries as { sends: number }[]).map(({ sends }) => sends)).toEqual(ids.map(() => 10));
      expect(it.sandbox.callCount).toBe(callCount);
    });

    test('of a campaign include its resends, those of an activity do not', async () => {
      campaign('7', 48, { size: 10 });
      campaign('8', 24, { size: 3, resendOf: '7' });
      const sendsOf = async (id: string) => ((await json(`/campaigns/${id}/summary`)) as { sends: number }).sends;
      expect([await sendsOf(campaignIdOf('7')), await sendsOf(activityIdOf('7')), await sendsOf('7')]).toEqual([
        13, 10, 13,
      ]);
    });

    test('are as old as Constant Contact says', async () => {
      campaign('7', 48, { lastRefreshMs: Date.parse('2026-01-02T03:04:05Z') });
      const { as_of } = (await json(`/campaigns/${activityIdOf('7')}/summary`)) as { as_of: string };
      expect(as_of).toBe('2026-01-02T03:04:05.000Z');
    });
  });

  test('A report of a campaign in the directory costs one more call, for its activity', async () => {
    addEach(3);
    await directory();
    it.sandbox.forget();
    expect((await get(`/campaigns/${campaignIdOf('2')}/opens`)).status).toBe(200);
    expect(it.sandbox.calls.map(({ path }) => path)).toEqual([
      `/v3/emails/${campaignIdOf('2')}`,
      `/v3/reports/email_reports/${activityIdOf('2')}/tracking/opens`,
    ]);
  });
}

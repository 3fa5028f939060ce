/**
 * With v3 one campaign is asked for by its own id, by that of its activity, or by v2's digits.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { makeBody } from '../src/cache/page.ts';
import { PageCache } from '../src/cache/page-cache.ts';
import { maxKeptIds } from '../src/model/meant-activity.ts';
import type { SandboxOptions } from '../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import { StateFile } from '../src/storage/state-file.ts';
import { idsPart } from '../src/upstream/kept-ids.ts';
import { KnownIds } from '../src/upstream/known-ids.ts';
import {
  type Environment,
  type Harness,
  oauth,
  type PageJson,
  start,
  startInstance,
  until,
} from './support/harness.ts';
import { firstPage, nextPage } from './support/queries.ts';
import { summaryOf, summaryWithoutNumbers } from './support/summaries.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-ids-'));
let files = 0;
const newStateFile = () => join(folder, `state-${files++}.json`);

const newestMs = Date.parse('2026-01-01T12:00:00Z');
const v2Id = '1100394165287';
const ids = { campaign: campaignIdOf(v2Id), activity: activityIdOf(v2Id), v2: v2Id };
const all = Object.values(ids);
const orders = all.flatMap((a) => all.flatMap((b) => all.map((c) => [a, b, c]))).filter((o) => new Set(o).size === 3);
const unknownId = '12345678-1234-4234-8234-123456789012';

let it: Harness;
let others: Harness[] = [];
afterEach(async () => {
  await Promise.all(others.map((other) => other.close()));
  others = [];
  await it.close();
});

async function up(env: Environment = {}, options: Partial<SandboxOptions> = {}): Promise<void> {
  // One that works again and again: a restart here has no token file.
  it = await start(env, { oauth: { ...oauth, rotating: false }, ...options }, 'v3');
}

/** The same Sendgate, after a restart. */
async function restart(env: Environment): Promise<Harness> {
  await Promise.all(others.map((other) => other.close()));
  others = [await startInstance(it.sandbox, it.clock, env, 'v3')];
  return others[0] as Harness;
}

const paths = () => it.sandbox.calls.map(({ path }) => path);
const pageCalls = () => paths().filter((path) => path.endsWith('/tracking/sends'));
const lookups = () => paths().filter((path) => path.startsWith('/v3/emails/'));
const lookupsOfUuids = () => lookups().filter((path) => !path.endsWith('xrefs'));

async function walk(instance: Harness, target: string): Promise<PageJson['results'][number][]> {
  const sends = [];
  for (let next: string | undefined = target; next !== undefined; ) {
    const page: PageJson = await instance.page(next);
    sends.push(...page.results);
    next = page.meta.pagination.next_link;
    if (next !== undefined) expect(next).toContain(target.split('?')[0]);
  }
  return sends;
}

const purge = (instance: Harness, campaign: string) =>
  fetch(`${instance.service.managementUrl}/purge?campaign=${campaign}`, { method: 'POST' });

describe('A campaign requested by all of its ids', () => {
  test.each(orders)('costs one call per page and one lookup per id: %s, %s, %s', async (...order) => {
    await up();
    const campaign = it.sandbox.campaign({ id: v2Id, size: 1_234, newestMs });
    const since = new Date(campaign.at(700).atMs).toISOString();
    for (const id of order) {
      const sends = await walk(it, `/campaigns/${id}/sends`);
      expect(sends).toHaveLength(1_234);
      expect(new Set(sends.map(({ contact_id }) => contact_id)).size).toBe(1_234);
      expect(new Set(sends.map(({ campaign_id }) => campaign_id))).toEqual(new Set([id]));
      expect(await walk(it, `/campaigns/${id}/sends?created_since=${since}`)).toHaveLength(701);
      const lines = (await (await it.get(`/campaigns/${id}/sends.ndjson`)).text()).trim().split('\n');
      expect(new Set(lines.map((line) => JSON.parse(line).campaign_id))).toEqual(new Set([id]));
      expect(lines).toHaveLength(1_234);
      expect(await (await it.get(`/campaigns/${id}/summary`)).json()).toEqual(summaryOf(id, 1_234));
    }
    const own = pageCalls().filter((path) => path.includes(ids.activity));
    expect(own).toHaveLength(3);
    // Where the campaign's id comes first, it is taken for an activity's once.
    const campaignFirst = order.indexOf(ids.campaign) < order.indexOf(ids.v2);
    expect(pageCalls()).toHaveLength(campaignFirst ? 4 : 3);
    expect(lookups()).toEqual([
      ...(campaignFirst ? [`/v3/emails/${ids.campaign}`] : []),
      '/v3/emails/campaign_id_xrefs',
    ]);
    expect(paths().filter((path) => path.includes('/stats/'))).toHaveLength(1);
  });

  test('costs no lookup after a restart, by any id', async () => {
    const env = { SENDGATE_QUOTA_STATE_FILE: newStateFile() };
    await up(env);
    it.sandbox.campaign({ id: v2Id, size: 1_234, newestMs });
    for (const id of all) await walk(it, `/campaigns/${id}/sends`);
    expect(lookups()).toHaveLength(2);
    for (const order of orders) {
      const again = await restart(env);
      it.sandbox.forget();
      for (const id of order) {
        const sends = await walk(again, `/campaigns/${id}/sends`);
        expect(new Set(sends.map(({ campaign_id }) => campaign_id))).toEqual(new Set([id]));
      }
      expect(pageCalls()).toHaveLength(3);
      expect(lookups()).toEqual([]);
    }
  });

  test('costs one call when all ids are requested at once', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.fault({ kind: 'latency', ms: 30 });
    const targets = all.flatMap((id) => [
      ...[`/campaigns/${id}/sends`, `/campaigns/${id}/sends?created_since=2020-01-01`],
      ...[`/campaigns/${id}/sends`, `/campaigns/${id}/sends.csv`, `/campaigns/${id}/summary`],
    ]);
    const answers = await Promise.all(targets.map((target) => it.get(target)));
    expect(answers.map(({ status }) => status)).toEqual(targets.map(() => 200));
    expect(pageCalls().filter((path) => path.includes(ids.activity))).toHaveLength(1);
    expect(new Set(lookups()).size).toBe(lookups().length);
    expect(lookups().length).toBeLessThanOrEqual(2);
  });

  test('is a hit for a query from before its id was known', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    const { pages } = it.service;
    const queries = all.map((campaign) => firstPage(campaign));
    for (const query of queries) expect(pages.hit(query)).toBeUndefined();
    for (const query of queries) await pages.get(query, { team: 'default' });
    for (const query of queries) expect(pages.hit(query)?.page).toBe(pages.peek(query));
  });

  test('is refreshed, with a new generation, for all of them', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 7, newestMs: it.clock.now() - 10_000 });
    const targets = all.map((id) => `/campaigns/${id}/sends?limit=5`);
    for (const target of targets) expect(await walk(it, target)).toHaveLength(7);
    it.sandbox.forget();
    it.sandbox.addSends(v2Id, 1);
    it.clock.forward(61);
    await it.get(targets[0] ?? '', { 'cache-control': 'no-cache' });
    for (const target of targets) {
      const { headers } = await it.get(target);
      expect(headers.get('cache-status')).toMatch(/^sendgate; hit; ttl=\d+$/);
      expect(await walk(it, target)).toHaveLength(8);
    }
    expect(pageCalls()).toHaveLength(2);
  });

  test('can be walked from a link from before a restart, by any id', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 7, newestMs });
    for (const unknownActivities of ['not-found', 'empty'] as const) {
      for (const id of all) {
        const { meta } = await it.page(`/campaigns/${id}/sends?limit=5`);
        const fresh = await restart({});
        const { results } = await fresh.page(meta.pagination.next_link ?? '');
        expect([unknownActivities, results.map(({ campaign_id }) => campaign_id)]).toEqual([
          unknownActivities,
          [id, id],
        ]);
      }
      await it.close();
      await up({}, { unknownActivities: 'empty' });
      it.sandbox.campaign({ id: v2Id, size: 7, newestMs });
    }
  });
});

test('A page that arrives while its id turns out to mean another one is not stored as a view of that one', async () => {
  await up();
  const { clock } = it;
  const known = new KnownIds(clock);
  const pages = new PageCache(
    {
      fetchPage: async () => ({ rows: [], cursor: undefined }),
      render: () => ({ json: '{"results":[]}', next: undefined }),
      readRows: () => [],
      filtersSince: false,
      ids: known,
      clock,
      encode: (content, etag) => {
        known.learn([[ids.campaign, ids.activity]]);
        return makeBody(content, etag);
      },
    },
    {
      ...{ maxBytes: 1e6, maxViewBytes: 1e5, staleIfErrorSeconds: 60, notFoundSeconds: 60 },
      ...{ minFreshSeconds: 60, maxFreshSeconds: 60 },
    },
  );
  const query = nextPage(ids.campaign, 'x');
  await pages.get(query, { team: 'a' });
  expect(pages.peek(query)).toBeUndefined();
});

test.each([{ kind: 'forbidden' }, { kind: 'gone', status: 410 }, { kind: 'gone' }] as const)(
  'Without v3 cross references, unknown ids are looked up once a minute, all in one call: %j',
  async (fault) => {
    await up();
    const v2Ids = Array.from({ length: 50 }, (_, n) => String(1_000 + n));
    for (const id of v2Ids) it.sandbox.campaign({ id, size: 3, newestMs });
    expect((await it.get(`/campaigns/${activityIdOf('1000')}/sends`)).status).toBe(200);
    it.sandbox.fault({ ...fault, path: 'campaign_id_xrefs' });
    for (let minute = 0; minute < 3; minute++) {
      it.sandbox.forget();
      const answers = await Promise.all(v2Ids.map((id) => it.get(`/campaigns/${id}/sends`)));
      expect(answers.map(({ status }) => status)).toEqual(v2Ids.map(() => 502));
      const asked = it.sandbox.calls
        .map(({ query }) => query['v2_email_campaign_ids'] ?? '')
        .filter((list) => list !== '');
      expect(asked.flatMap((list) => list.split(',')).sort()).toEqual(v2Ids);
      it.clock.forward(61);
    }
  },
);

test('Without v3 cross references, known ids work, others fail alone, and credentials stay trusted', async () => {
  const env = { SENDGATE_QUOTA_STATE_FILE: newStateFile() };
  await up(env);
  for (const id of [v2Id, '2', '3']) it.sandbox.campaign({ id, size: 3, newestMs });
  expect((await it.get(`/campaigns/${v2Id}/sends`)).status).toBe(200);
  for (const fault of [
    { kind: 'forbidden' },
    { kind: 'status', status: 404 },
    { kind: 'gone', status: 410 },
  ] as const) {
    const again = await restart(env);
    it.sandbox.fault({ ...fault, path: 'campaign_id_xrefs' });
    it.sandbox.forget();
    expect((await again.page(`/campaigns/${v2Id}/sends`)).results).toHaveLength(3);
    expect(lookups()).toEqual([]);
    const status = fault.kind === 'status' ? 404 : 502;
    for (const search of ['', '?limit=1']) expect((await again.get(`/campaigns/2/sends${search}`)).status).toBe(status);
    expect(lookups()).toHaveLength(1);
    for (const id of [activityIdOf('2'), campaignIdOf('3')])
      expect((await again.get(`/campaigns/${id}/sends`)).status).toBe(200);
    const ready = await fetch(`${again.service.managementUrl}/readyz`);
    expect(await ready.json()).toEqual({ status: 'ready', upstream: 'ok' });
    it.sandbox.heal();
  }
});

describe("A campaign's id", () => {
  test.each(['not-found', 'empty'] as const)('is looked up if its report has no rows: %s', async (unknown) => {
    await up({}, { unknownActivities: unknown });
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    for (const search of ['', '?limit=2', '?created_since=2020-01-01'])
      expect((await it.page(`/campaigns/${ids.campaign}/sends${search}`)).results).not.toHaveLength(0);
    expect(lookups()).toEqual([`/v3/emails/${ids.campaign}`]);
    expect(pageCalls().filter((path) => path.includes(ids.campaign))).toHaveLength(1);
  });

  test.each([
    ['the summary first', ['summary', 'sends']],
    ['the page first', ['sends', 'summary']],
  ])('is looked up once for pages and summary: %s', async (_, targets) => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    for (const target of targets) expect((await it.get(`/campaigns/${ids.campaign}/${target}`)).status).toBe(200);
    expect(lookups()).toHaveLength(1);
  });

  test('means its primary activity; a resend has its own id', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.campaign({ id: '2', size: 5, newestMs, resendOf: v2Id });
    it.sandbox.campaign({ id: '3', size: 0, newestMs, resendOf: v2Id });
    expect((await it.page(`/campaigns/${ids.campaign}/sends`)).results).toHaveLength(3);
    expect((await it.page(`/campaigns/${activityIdOf('2')}/sends`)).results).toHaveLength(5);
    // Its campaign lists it: that nothing was sent is no reason to look it up.
    expect((await it.page(`/campaigns/${activityIdOf('3')}/sends`)).results).toEqual([]);
    expect(lookups()).toHaveLength(1);
  });

  test('is found with roles in any case', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs, role: 'PRIMARY_EMAIL' });
    expect((await it.get(`/campaigns/${ids.campaign}/sends`)).status).toBe(200);
  });

  test('without an activity with reports gets 404 for a minute', async () => {
    await up({}, { unknownActivities: 'empty' });
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs, role: 'survey' });
    for (const target of ['sends', 'sends?limit=1', 'sends.csv', 'summary', 'sends?created_since=2020-01-01'])
      expect((await it.get(`/campaigns/${ids.campaign}/${target}`)).status).toBe(404);
    expect(it.sandbox.callCount).toBe(2);
    it.clock.forward(61);
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    expect((await it.get(`/campaigns/${ids.campaign}/sends`)).status).toBe(200);
  });

  test.each(['not-found', 'empty'] as const)(
    'of an unsent campaign gets an empty page, then one with sends: %s',
    async (unknown) => {
      await up({}, { unknownActivities: unknown });
      it.sandbox.campaign({ id: v2Id, size: 3, newestMs: it.clock.now(), status: 'DRAFT' });
      for (const id of all) {
        expect(await it.page(`/campaigns/${id}/sends`)).toEqual({ meta: { pagination: {} }, results: [] });
        expect(await (await it.get(`/campaigns/${id}/summary`)).json()).toEqual(summaryWithoutNumbers(id));
      }
      expect(lookups()).toHaveLength(2);
      it.sandbox.campaign({ id: v2Id, size: 3, newestMs: it.clock.now() });
      it.clock.forward(61);
      for (const id of all) {
        for (const name of ['sends', 'summary'])
          await it.get(`/campaigns/${id}/${name}`, { 'cache-control': 'no-cache' });
        expect((await it.page(`/campaigns/${id}/sends`)).results).toHaveLength(3);
        expect(await (await it.get(`/campaigns/${id}/summary`)).json()).toEqual(summaryOf(id, 3));
      }
      expect(lookups()).toHaveLength(2);
    },
  );

  test('looked up by many costs one lookup, even if the first callers disconnect', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.fault({ kind: 'latency', ms: 100, path: '/v3/emails/' });
    const leaver = new AbortController();
    const url = `${it.url}/campaigns/${ids.campaign}/sends`;
    const left = Array.from({ length: 3 }, (_, n) =>
      fetch(`${url}?limit=${n + 1}`, { signal: leaver.signal }).catch(() => {}),
    );
    await until(() => lookups().length === 1, 'it is being looked up');
    const stayed = Array.from({ length: 3 }, (_, n) => fetch(`${url}?limit=${n + 10}`));
    leaver.abort();
    await Promise.all(left);
    expect((await Promise.all(stayed)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(lookups()).toHaveLength(1);
  });

  test('with a failing lookup gets that error, with one lookup a minute', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.fault({ kind: 'malformed', path: '/v3/emails/' });
    for (const target of ['sends', 'sends?limit=1'])
      expect((await it.get(`/campaigns/${ids.campaign}/${target}`)).status).toBe(502);
    expect(it.sandbox.callCount).toBe(2);
    // The list of summaries needs no lookup.
    expect((await it.get(`/campaigns/${ids.campaign}/summary`)).status).toBe(200);
    it.sandbox.heal();
    it.clock.forward(61);
    expect((await it.get(`/campaigns/${ids.campaign}/sends`)).status).toBe(200);
  });

  test('with a lookup over an account limit gets that error, and is looked up again', async () => {
    await up({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.fault({ kind: 'over-qps', path: '/v3/emails/', times: 1 });
    expect((await it.get(`/campaigns/${ids.campaign}/sends`)).status).toBe(503);
    it.clock.forward(2);
    expect((await it.get(`/campaigns/${ids.campaign}/sends`)).status).toBe(200);
  });
});

describe('An unused UUID', () => {
  test('gets 404 if v3 responds so, and is not requested again for a minute', async () => {
    await up();
    for (const target of ['sends', 'sends?limit=1', 'sends?created_since=2020-01-01', 'sends.csv', 'summary'])
      expect((await it.get(`/campaigns/${unknownId}/${target}`)).status).toBe(404);
    expect(paths()).toHaveLength(2);
    it.clock.forward(61);
    expect((await it.get(`/campaigns/${unknownId}/sends`)).status).toBe(404);
    expect(paths()).toHaveLength(4);
  });

  test('gets an empty page if v3 responds so, and is not looked up again for a day', async () => {
    await up({}, { unknownActivities: 'empty' });
    for (let hour = 0; hour < 23; hour++) {
      expect((await it.page(`/campaigns/${unknownId}/sends`)).results).toEqual([]);
      expect((await it.page(`/campaigns/${unknownId}/sends?limit=${hour + 1}`)).results).toEqual([]);
      it.clock.forward(3_600);
    }
    expect(lookups()).toHaveLength(1);
    it.clock.forward(7_200);
    await it.get(`/campaigns/${unknownId}/sends`, { 'cache-control': 'no-cache' });
    expect(lookups()).toHaveLength(2);
  });

  test('that becomes a campaign is found a day later; its empty page is served stale until then', async () => {
    await up({}, { unknownActivities: 'empty' });
    await it.get(`/campaigns/${ids.campaign}/sends`);
    it.sandbox.campaign({ id: v2Id, size: 2, newestMs });
    it.clock.forward(86_000);
    await it.get(`/campaigns/${ids.campaign}/sends`, { 'cache-control': 'no-cache' });
    expect(lookups()).toHaveLength(1);
    it.clock.forward(600);
    expect((await it.page(`/campaigns/${ids.campaign}/sends`)).results).toEqual([]);
    await until(() => lookups().length === 2, 'it is looked up behind the answer');
    await until(async () => (await it.page(`/campaigns/${ids.campaign}/sends`)).results.length === 2, 'its sends come');
  });

  test('has no summary', async () => {
    await up({}, { unknownActivities: 'empty' });
    expect((await it.get(`/campaigns/${unknownId}/summary`)).status).toBe(404);
    expect(lookups()).toEqual([`/v3/emails/${unknownId}`, `/v3/emails/activities/${unknownId}`]);
  });

  test('that gets sends is an activity, and is never looked up again', async () => {
    await up({}, { unknownActivities: 'empty' });
    expect((await it.page(`/campaigns/${ids.activity}/sends`)).results).toEqual([]);
    it.sandbox.campaign({ id: v2Id, size: 2, newestMs });
    it.clock.forward(61);
    await it.get(`/campaigns/${ids.activity}/sends`, { 'cache-control': 'no-cache' });
    it.clock.forward(90_000);
    expect((await it.page(`/campaigns/${ids.activity}/sends`)).results).toHaveLength(2);
    it.sandbox.campaign({ id: v2Id, size: 0, newestMs });
    it.clock.forward(90_000);
    await it.get(`/campaigns/${ids.activity}/sends`, { 'cache-control': 'no-cache' });
    expect(lookups()).toHaveLength(1);
  });
});

describe('A summary', () => {
  /** Calls but those for the summaries of all campaigns, which say how old a campaign is. */
  const statsAndLookups = () => paths().filter((path) => !path.includes('/summary_reports/'));

  test.each(['DRAFT', 'SCHEDULED', 'EXECUTING'] as const)(
    'of an activity without statistics has no number: %s',
    async (status) => {
      await up();
      it.sandbox.campaign({ id: v2Id, size: 3, newestMs, status });
      const summary = async () =>
        (await (await it.get(`/campaigns/${ids.activity}/summary`)).json()) as Record<string, unknown>;
      expect(await summary()).toEqual(summaryWithoutNumbers(ids.activity));
      expect(await summary()).toEqual(summaryWithoutNumbers(ids.activity));
      expect(statsAndLookups()).toHaveLength(3);
      it.clock.forward(301);
      await summary();
      const isFresh = async () =>
        /ttl=[1-9]/.test((await it.get(`/campaigns/${ids.activity}/summary`)).headers.get('cache-status') ?? '');
      await until(isFresh, 'it is refreshed, now that it is known to be an activity');
      expect(statsAndLookups()).toHaveLength(4);
      it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
      it.clock.forward(301);
      await summary();
      await until(async () => (await summary()).sends !== null, 'it is refreshed');
      expect(statsAndLookups()).toHaveLength(5);
      expect(await summary()).toEqual(summaryOf(ids.activity, 3));
    },
  );

  test('of an activity with sends but no statistics costs one call', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs, status: 'EXECUTING' });
    await it.get(`/campaigns/${ids.activity}/sends`);
    it.sandbox.forget();
    expect(await (await it.get(`/campaigns/${ids.activity}/summary`)).json()).toMatchObject({ sends: null });
    expect(statsAndLookups()).toHaveLength(1);
  });
});

describe('The statistics of v3', () => {
  test.each([{}, { dottedStats: true }, { textCounts: true }, { numericIds: true }])(
    'are read in every documented form: %j',
    async (options) => {
      await up();
      it.sandbox.campaign({ id: v2Id, size: 3, newestMs, ...options });
      for (const id of all) expect(await (await it.get(`/campaigns/${id}/summary`)).json()).toEqual(summaryOf(id, 3));
    },
  );

  test('are missing if v3 rejects the id as malformed', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs, status: 'DRAFT' });
    it.sandbox.fault({ kind: 'status', status: 404, path: '/stats/' });
    expect((await it.get(`/campaigns/${ids.activity}/summary`)).status).toBe(200);
    expect((await it.get(`/campaigns/${unknownId}/summary`)).status).toBe(404);
  });
});

describe('A purge', () => {
  test.each(Object.entries(ids))('by its %s id purges the pages of all its ids', async (_, id) => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    const targets = all.flatMap((one) => [
      `/campaigns/${one}/sends`,
      `/campaigns/${one}/sends?created_since=2020-01-01`,
    ]);
    const summaries = all.map((one) => `/campaigns/${one}/summary`);
    for (const target of [...targets, ...summaries]) await it.get(target);
    it.sandbox.campaign({ id: v2Id, size: 4, newestMs });
    it.sandbox.forget();
    // Of each id two pages and the summary; and the two answers that the summaries are made from.
    expect(await (await purge(it, id)).json()).toEqual({ pages: 11, everywhere: true });
    for (const target of targets) expect((await it.page(target)).results).toHaveLength(4);
    for (const target of summaries) expect(await (await it.get(target)).json()).toMatchObject({ sends: 4 });
    expect(paths().filter((path) => !path.includes('/summary_reports/'))).toHaveLength(2);
  });

  test.each(Object.entries(ids))('by its %s id purges all pages even if the id is not known yet', async (name, id) => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    await it.get(`/campaigns/${ids.activity}/sends`);
    it.sandbox.forget();
    expect(await (await purge(it, id)).json()).toEqual({ pages: 1, everywhere: true });
    expect(lookups()).toHaveLength(name === 'activity' ? 0 : 1);
  });

  test('by an id that cannot be looked up reports that', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    it.sandbox.fault({ kind: 'status', status: 500 });
    const answer = await purge(it, ids.campaign);
    expect(answer.status).toBe(502);
    expect(await answer.json()).toMatchObject({ error: expect.stringContaining('this very id') });
    expect((await purge(it, unknownId.toUpperCase())).status).toBe(502);
    it.sandbox.heal();
    it.clock.forward(61);
    expect((await purge(it, unknownId)).status).toBe(200);
  });

  test.each(all)('forgets that an id was unknown: %s', async (id) => {
    await up();
    for (const one of all) expect((await it.get(`/campaigns/${one}/sends`)).status).toBe(404);
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    expect((await it.get(`/campaigns/${id}/sends`)).status).toBe(404);
    await purge(it, id);
    expect((await it.get(`/campaigns/${id}/sends`)).status).toBe(200);
  });
});

describe('The file that stores ids', () => {
  const idsIn = (file: string) => JSON.parse(readFileSync(file, 'utf8')).ids;
  const pairs = [
    [ids.campaign, ids.activity],
    [ids.v2, ids.activity],
  ];

  test('contains ids as soon as they are known, with the day', async () => {
    const file = newStateFile();
    await up({ SENDGATE_QUOTA_STATE_FILE: file });
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    await it.get(`/campaigns/${v2Id}/sends`);
    expect(idsIn(file)).toEqual(pairs);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ calls: 2 });
    await it.get(`/campaigns/${unknownId}/sends`);
    expect(idsIn(file)).toEqual(pairs);
  });

  test('keeps ids when its day is over', async () => {
    const file = newStateFile();
    const env = { SENDGATE_QUOTA_STATE_FILE: file };
    await up(env);
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    await it.get(`/campaigns/${v2Id}/sends`);
    it.clock.forward(2 * 86_400);
    const later = await restart(env);
    expect(later.service.status().upstream.callsToday).toBe(0);
    it.sandbox.forget();
    for (const id of all) expect((await later.get(`/campaigns/${id}/sends`)).status).toBe(200);
    expect(lookups()).toEqual([]);
    expect(idsIn(file)).toEqual(pairs);
  });

  test('is unchanged with v2', async () => {
    const file = newStateFile();
    it = await start({ SENDGATE_QUOTA_STATE_FILE: file }, {}, 'v2');
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    await it.get(`/campaigns/${v2Id}/sends`);
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')))).toEqual(['day', 'calls', 'teams']);
  });

  test.each<[string, (today: string) => unknown, number, boolean]>([
    ['an invalid day', () => ({ day: 'soon', calls: 5, ids: pairs }), 0, true],
    ['invalid ids', (day) => ({ day, calls: 5, ids: 'all' }), 5, false],
    ['one invalid id', (day) => ({ day, calls: 5, ids: [['a', 1], null, ...pairs, [v2Id]] }), 5, true],
    ['an activity without a UUID', (day) => ({ day, calls: 5, ids: [[ids.campaign, '../../evil']] }), 5, false],
    ['only ids', () => ({ ids: pairs }), 0, true],
    ['ids that are an object', (day) => ({ day, calls: 5, ids: { length: 5, __proto__: { a: 1 } } }), 5, false],
    [
      'a circle',
      (day) => ({
        day,
        calls: 5,
        ids: [
          [ids.campaign, ids.activity],
          [ids.activity, ids.campaign],
        ],
      }),
      5,
      false,
    ],
    ['no object', () => [pairs], 0, false],
    ['more than the maximum', (day) => ({ day, calls: 5, ids: 'x'.repeat(5_000_000) }), 0, false],
  ])('does not prevent a start or affect other parts: %s', async (_, content, calls, isKept) => {
    const file = newStateFile();
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    const today = new Date(it.clock.now()).toISOString().slice(0, 10);
    writeFileSync(file, JSON.stringify(content(today)));
    const instance = await restart({ SENDGATE_QUOTA_STATE_FILE: file });
    expect(instance.service.status().upstream.callsToday).toBe(calls);
    for (const id of [ids.activity, ids.campaign]) {
      const { results } = await instance.page(`/campaigns/${id}/sends`);
      expect(results.map(({ campaign_id }) => campaign_id)).toEqual([id, id, id]);
    }
    expect(lookupsOfUuids()).toHaveLength(isKept ? 0 : 1);
  });

  test('with any content, the start succeeds and every campaign is served', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 1, newestMs });
    const id = fc.constantFrom(...all, unknownId, '0', '', '00', ids.campaign.toUpperCase(), 'x');
    const day = fc.constantFrom(new Date(it.clock.now()).toISOString().slice(0, 10), '2020-01-01', '', 7, null);
    const entry = fc.oneof(fc.tuple(id, id), fc.array(id), fc.jsonValue());
    const file = fc.oneof(
      fc.record(
        {
          day,
          calls: fc.oneof(fc.nat(), fc.jsonValue()),
          teams: fc.jsonValue(),
          ids: fc.array(entry, { maxLength: 6 }),
        },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(file, fc.nat(30), async (content, cut) => {
        const path = newStateFile();
        const text = JSON.stringify(content);
        writeFileSync(path, cut > 20 ? text.slice(0, -(cut - 20)) : text);
        const instance = await restart({ SENDGATE_QUOTA_STATE_FILE: path });
        const { callCount } = it.sandbox;
        for (const one of [ids.activity, ids.campaign, ids.v2]) {
          const answer = await instance.get(`/campaigns/${one}/sends`);
          // A day that is spent is one, too.
          expect([200, 404, 503]).toContain(answer.status);
          if (answer.status !== 200) continue;
          const { results } = (await answer.json()) as PageJson;
          expect(results.every(({ campaign_id }) => campaign_id === one)).toBe(true);
        }
        // Where the day in it is spent there is no call, and nothing is written.
        if (it.sandbox.callCount === callCount) return;
        const kept = JSON.parse(readFileSync(path, 'utf8')).ids ?? [];
        for (const pair of kept)
          expect(pair).toEqual([expect.stringMatching(/^[\da-f-]+$/), expect.stringMatching(/^[\da-f-]{36}$/)]);
      }),
      { numRuns: 40 },
    );
  });

  test('keeps the most recently used ids, and drops the rest', async () => {
    await up();
    const known = new KnownIds(it.clock);
    known.learn(Array.from({ length: maxKeptIds + 2 }, (_, n) => [String(n + 1), activityIdOf(String(n + 1))]));
    known.activityOf('1');
    const kept = known.kept();
    expect(kept).toHaveLength(maxKeptIds);
    expect(kept[0]).toEqual(['1', activityIdOf('1')]);
    expect(kept.some(([asked]) => asked === '2' || asked === '3')).toBe(false);

    const file = newStateFile();
    const dropped: number[] = [];
    const events = { unreadable: () => {}, unwritable: () => {}, writable: () => {} };
    const open = () => new StateFile(file, events);
    const ids = (state: StateFile) => state.open(idsPart((count) => dropped.push(count)));
    const keep = (pairs: typeof kept) => {
      const state = open();
      ids(state).keep(pairs);
      return state.written();
    };
    await keep(kept);
    expect([ids(open()).stored, dropped]).toEqual([kept, []]);
    await keep([...kept, ['2', activityIdOf('2')]]);
    expect([ids(open()).stored, dropped]).toEqual([kept, [1]]);
    const again = new KnownIds(it.clock);
    again.restore(kept);
    expect(again.kept()).toEqual(kept);
  });

  test('that is unwritable is reported once, and again when writable; every campaign is served', async () => {
    await up();
    it.sandbox.campaign({ id: v2Id, size: 3, newestMs });
    const away = mkdtempSync(join(folder, 'away-'));
    rmdirSync(away);
    const instance = await restart({ SENDGATE_QUOTA_STATE_FILE: join(away, 'state.json') });
    for (const id of all) expect((await instance.page(`/campaigns/${id}/sends`)).results).toHaveLength(3);
    const told = () => instance.lines.map((line) => JSON.parse(line)).filter(({ event }) => /^state\./.test(event));
    await until(() => told().length > 0, 'it is told');
    expect(told()).toMatchObject([{ level: 'error', event: 'state.unwritable', code: 'ENOENT' }]);

    mkdirSync(away);
    await instance.get(`/campaigns/${all[0]}/sends?limit=7`);
    await instance.get(`/campaigns/${all[0]}/sends?limit=8`);
    await until(() => told().length > 1, 'it is told that it can be written again');
    expect(told().slice(1)).toMatchObject([{ level: 'info', event: 'state.writable' }]);
  });

  test('that is unreadable is reported with the consequence', async () => {
    const file = newStateFile();
    writeFileSync(file, 'nonsense');
    const instance = await restart({ SENDGATE_QUOTA_STATE_FILE: file });
    const told = () => instance.lines.map((line) => JSON.parse(line)).filter(({ event }) => /^state\./.test(event));
    await until(() => told().length > 0, 'it is told');
    expect(told()).toMatchObject([{ level: 'error', event: 'state.unreadable', file }]);
  });
});

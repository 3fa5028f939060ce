/**
 * What callers get does not depend on the version of Constant Contact's API, but for ids and for what v3 does not have.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { allReports } from '../src/model/reports.ts';
import { linkIdOf, urlIdOf } from '../src/sandbox/links.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf, contactIdOf } from '../src/sandbox/v3.ts';
import { ForwardClock } from './support/clock.ts';
import { type Harness, startInstance, startSandbox } from './support/harness.ts';

const versions = ['v2', 'v3'] as const;
type Version = (typeof versions)[number];
type Values = Readonly<Record<string, unknown>>;

const names = allReports.map(({ name }) => name);
/** Rows of each report: three pages of 25. */
const sizes = { sends: 70, opens: 68, clicks: 66, bounces: 64, forwards: 62, unsubscribes: 60 };
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const campaign = '7';
const all = ['7', '8', '9', '10', '11'];
let sandbox: Sandbox;
let sendgates: Readonly<Record<Version, Harness>>;

beforeAll(async () => {
  const clock = new ForwardClock();
  sandbox = await startSandbox({ clock });
  for (const [n, id] of all.slice(0, 3).entries()) {
    const sentMs = newestMs - n * 86_400_000;
    // Each contact once: v3 counts contacts, where v2 may count clicks.
    const reports = Object.fromEntries(
      names.map((name) => [name, { size: sizes[name], contacts: sizes[name], newestMs: sentMs, spacingMs: 1000 }]),
    );
    const texts = {
      name: `Campaign "${id}"`,
      subject: '20 % für Ä & Ö',
      fromName: 'Shop',
      fromEmail: 'shop@example.com',
    };
    sandbox.campaign({ id, size: sizes.sends, newestMs: sentMs, reports, ...texts, v2Counts: 'contacts', spam: 2 });
  }
  sandbox.campaign({ id: '10', size: 0, newestMs: clock.now(), status: 'DRAFT', name: 'Draft' });
  sandbox.campaign({ id: '11', size: 5, newestMs: clock.now(), status: 'REMOVED', name: 'Removed' });
  const env = { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' };
  const [v2, v3] = [await startInstance(sandbox, clock, env, 'v2'), await startInstance(sandbox, clock, env, 'v3')];
  sendgates = { v2, v3 };
});
afterAll(async () => {
  await Promise.all(versions.map((version) => sendgates[version].close()));
  await sandbox.stop();
});

/** The body of an answer, and the headers that follow from it. */
async function answerOf(version: Version, path: string) {
  const answer = await fetch(`${sendgates[version].url}${path}`);
  expect([version, path, answer.status]).toEqual([version, path, 200]);
  const headers = ['content-type', 'last-modified', 'cache-control', 'vary'].map((name) => answer.headers.get(name));
  return { headers, body: (await answer.json()) as Values };
}
const bothAnswers = async (path: string) => [await answerOf('v2', path), await answerOf('v3', path)] as const;

interface Page {
  readonly headers: readonly (string | null)[];
  readonly rows: readonly Values[];
}

async function walk(version: Version, path: string): Promise<readonly Page[]> {
  const pages: Page[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const { headers, body }: Awaited<ReturnType<typeof answerOf>> = await answerOf(version, next);
    const { meta, results } = body as { meta: { pagination: { next_link?: string } }; results: readonly Values[] };
    pages.push({ headers, rows: results });
    next = meta.pagination.next_link;
  }
  return pages;
}

/** Values of v2 as they are with v3: with other ids, and without what v3 does not have. */
function asWithV3(row: Values): Values {
  const others: Readonly<Record<string, (value: string) => string>> = {
    contact_id: contactIdOf,
    link_id: (link) => urlIdOf(campaign, Number(link) - 1),
    bounce_message: () => '',
    unsubscribe_source: () => '',
  };
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, others[name]?.(String(value)) ?? value]));
}

describe('With either version, the same comes', () => {
  test.each(names)('of %s, page by page', async (name) => {
    const path = `/campaigns/${campaign}/${name}?limit=25`;
    const [v2, v3] = [await walk('v2', path), await walk('v3', path)];
    expect(v3).toEqual(v2.map(({ headers, rows }) => ({ headers, rows: rows.map(asWithV3) })));
    expect(v2.map(({ rows }) => rows.length)).toEqual([25, 25, sizes[name] - 50]);
    expect(Object.keys(v3[0]?.rows[0] ?? {})).toEqual(Object.keys(v2[0]?.rows[0] ?? {}));
  });

  test.each(names)('of %s since an instant', async (name) => {
    const path = `/campaigns/${campaign}/${name}?limit=25&created_since=${new Date(newestMs - 33_000).toISOString()}`;
    const [v2, v3] = [await walk('v2', path), await walk('v3', path)];
    const rowsOf = (pages: readonly Page[]) => pages.flatMap(({ rows }) => rows);
    expect(rowsOf(v3)).toEqual(rowsOf(v2).map(asWithV3));
    expect(rowsOf(v2).length).toBeGreaterThan(25);
    expect(rowsOf(v2).length).toBeLessThan(sizes[name]);
  });

  test('of the clicks on a link', async () => {
    const path = (link: string) => `/campaigns/${campaign}/clicks?link_id=${link}`;
    const v2 = (await answerOf('v2', path(linkIdOf(0)))).body['results'] as readonly Values[];
    const v3 = (await answerOf('v3', path(urlIdOf(campaign, 0)))).body['results'];
    expect(v3).toEqual(v2.map(asWithV3));
    expect(v2.length).toBeGreaterThan(10);
  });

  test.each(['', '?status=SENT', '?status=draft', '?status=deleted', '?limit=2'])(
    'in the directory, by name: %j',
    async (search) => {
      const rowsOf = async (version: Version) =>
        (await walk(version, `/campaigns${search}`)).flatMap(({ rows }) => rows);
      const [v2, v3] = [await rowsOf('v2'), await rowsOf('v3')];
      expect(v2.length).toBeGreaterThan(0);
      const ids = new Map(all.map((id) => [id, campaignIdOf(id)]));
      // v2's list does not say when a campaign went out.
      expect(v3.map((row) => ({ ...row, last_run_date: '' }))).toEqual(
        v2.map((row) => ({ ...row, id: ids.get(String(row['id'])) })),
      );
    },
  );

  test.each(['7', '8', '10'])('of campaign %s, but for its activities', async (id) => {
    const [v2, v3] = await bothAnswers(`/campaigns/${id}`);
    const activities = [{ id: activityIdOf(id), role: 'primary_email' }];
    expect(v3).toEqual({ ...v2, body: { ...v2.body, activities } });
    expect(Object.keys(v3.body)).toEqual(Object.keys(v2.body));
  });

  test.each([
    ['from statistics', []],
    ['from the directory', ['/campaigns']],
  ])('in its summary, but for the time of the numbers: %s', async (_, before) => {
    for (const version of versions) await sendgates[version].service.pages.purge();
    for (const path of before) await bothAnswers(path);
    const [v2, v3] = await bothAnswers(`/campaigns/${campaign}/summary`);
    expect(v3).toEqual({ ...v2, body: { ...v2.body, as_of: v3.body['as_of'] } });
    expect(v2.body).toMatchObject({ ...sizes, spam_count: 2 });
    expect(Object.keys(v3.body)).toEqual(Object.keys(v2.body));
  });

  test('in its links, the most clicked first', async () => {
    const [v2, v3] = await bothAnswers(`/campaigns/${campaign}/links`);
    const links = v2.body['results'] as readonly Values[];
    expect(v3).toEqual({ ...v2, body: { results: links.map(asWithV3) } });
    expect(links).toHaveLength(4);
  });
});

/**
 * What every report promises, whichever it is: its rows, walks, exports, cache entries, and its place among v2's own paths.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Papa from 'papaparse';
import { allReports } from '../src/model/reports.ts';
import type { ReportName } from '../src/model/resource.ts';
import type { CampaignOptions } from '../src/sandbox/campaign-options.ts';
import { linkIdOf, urlIdOf } from '../src/sandbox/links.ts';
import { api, type Harness, idOf, start } from './support/harness.ts';

type Row = Readonly<Record<string, string>>;
interface Page {
  readonly meta: { readonly pagination: { readonly next_link?: string } };
  readonly results: readonly Row[];
}

const names = allReports.map(({ name }) => name);
/** v2's fields of each report behind the four that all have, and the type of its rows. */
const documented: Readonly<Record<ReportName, readonly [type: string, date: string, ...own: string[]]>> = {
  sends: ['EMAIL_SEND', 'send_date', 'send_date'],
  opens: ['EMAIL_OPEN', 'open_date', 'open_date'],
  clicks: ['EMAIL_CLICK', 'click_date', 'link_id', 'click_date'],
  bounces: ['EMAIL_BOUNCE', 'bounce_date', 'bounce_code', 'bounce_description', 'bounce_message', 'bounce_date'],
  forwards: ['EMAIL_FORWARD', 'forward_date', 'forward_date'],
  unsubscribes: [
    ...(['EMAIL_UNSUBSCRIBE', 'unsubscribe_date'] as const),
    ...['unsubscribe_date', 'unsubscribe_source', 'unsubscribe_reason'],
  ],
};
const fieldsOf = (name: ReportName) => [
  ...['activity_type', 'campaign_id', 'contact_id', 'email_address'],
  ...documented[name].slice(2),
];

const newestMs = Date.parse('2026-01-01T12:00:00Z');
const size = 60;
const limit = 20;
const base = '/ctct';
const linkId = (campaign: string, link: number) => (api === 'v3' ? urlIdOf(campaign, link) : linkIdOf(link));
const own = (campaign: string, resource: string) => `${base}/campaigns/${idOf(campaign)}/${resource}`;
const dropIn = (campaign: string, report: string) =>
  `${base}/v2/emailmarketing/campaigns/${campaign}/tracking/${report}`;

let it: Harness;
beforeAll(async () => {
  it = await start({
    SENDGATE_SERVER_BASE_PATH: base,
    SENDGATE_SERVER_DROP_IN_V2: 'true',
    SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
  });
});
afterAll(() => it.close());

/** A campaign with as many rows in every report. */
function begin(id: string, options: Partial<CampaignOptions> = {}) {
  const reports = Object.fromEntries(names.map((name) => [name, { size, newestMs, spacingMs: 1000 }]));
  it.sandbox.forget();
  return it.sandbox.campaign({ id, size, newestMs, reports, ...options });
}

const get = (target: string, init?: RequestInit) => fetch(`${it.url}${target}`, init);
const how = (answer: Response) => answer.headers.get('cache-status') ?? '';
/** Whether it came out of the cache. */
const isHit = async (target: string) => how(await get(target)).startsWith('sendgate; hit');
const errorsOf = async (target: string) => {
  const answer = await get(target);
  const { errors } = (await answer.json()) as { errors?: { parameter: string; allowed: string }[] };
  return [answer.status, errors?.map(({ parameter, allowed }) => ({ parameter, allowed }))];
};

interface Walked {
  readonly rows: readonly Row[];
  readonly links: readonly string[];
}

/** Follows the links. Those of v2's paths lack the base path, which clients put in front. */
async function walk(target: string, prefix = ''): Promise<Walked> {
  const rows: Row[] = [];
  const links: string[] = [];
  for (let next: string | undefined = target; next !== undefined; ) {
    const answer: Response = await get(next);
    expect([next, answer.status]).toEqual([next, 200]);
    const { meta, results } = (await answer.json()) as Page;
    rows.push(...results);
    const link = meta.pagination.next_link;
    expect(answer.headers.get('link')).toBe(link === undefined ? null : `<${prefix}${link}>; rel="next"`);
    if (link !== undefined) links.push(link);
    next = link && `${prefix}${link}`;
  }
  return { rows, links };
}

/** Address and date of rows, which are the same with either version. */
const told = (name: ReportName, rows: readonly Row[]) =>
  rows.map((row) => `${row['email_address']} ${row[documented[name][1]]}`);
interface Rows {
  readonly size: number;
  at(index: number): { readonly email: string; readonly atMs: number };
}
const truth = (rows: Rows, count = rows.size) =>
  Array.from({ length: count }, (_, index) => {
    const { email, atMs } = rows.at(index);
    return `${email} ${new Date(atMs).toISOString()}`;
  });

describe.each(names)('%s', (name) => {
  const upstream = { v2: name, v3: name === 'unsubscribes' ? 'optouts' : name }[api];

  test("have v2's documented fields, in their order, as strings", async () => {
    begin('1');
    const answer = await get(own('1', name));
    expect(answer.headers.get('last-modified')).toBe(new Date(newestMs).toUTCString());
    const { results } = (await answer.json()) as Page;
    expect(results).toHaveLength(size);
    for (const row of results) {
      expect(Object.keys(row)).toEqual(fieldsOf(name));
      expect(Object.values(row).every((value) => typeof value === 'string')).toBe(true);
      expect([row['activity_type'], row['campaign_id']]).toEqual([documented[name][0], idOf('1')]);
    }
  });

  test.each<Partial<CampaignOptions>>([
    {},
    { cursors: 'opaque', links: 'absolute', numericIds: true },
    api === 'v2' ? { cursors: 'time', links: 'other-path', lastPage: 'null' } : { design: 'page' },
  ])(
    'are walked by their own links, each row once, newest first, and without a call the second time: %j',
    async (options) => {
      const campaign = begin('2', options);
      await it.service.pages.purge();
      const target = own('2', `${name}?limit=${limit}`);
      const { rows, links } = await walk(target);
      expect(told(name, rows)).toEqual(truth(campaign.report(name)));
      expect(links).toHaveLength(2);
      for (const link of links) expect(link).toMatch(new RegExp(`^${own('2', name)}\\?next=[\\w%.~-]+$`));
      expect(it.sandbox.calls.map(({ path }) => path)).toEqual(
        Array(3).fill(expect.stringMatching(new RegExp(`/tracking/${upstream}$`))),
      );
      expect(await walk(target)).toEqual({ rows, links });
      expect(it.sandbox.callCount).toBe(3);
    },
  );

  test('since an instant have it in front of the cursor, and none that is older', async () => {
    const rows = begin('3').report(name);
    const since = new Date(rows.at(44).atMs).toISOString();
    const walked = await walk(own('3', `${name}?limit=${limit}&created_since=${since}`));
    expect(told(name, walked.rows)).toEqual(truth(rows, 45));
    expect(walked.links.length).toBeGreaterThanOrEqual(2);
    for (const link of walked.links)
      expect(link.startsWith(`${own('3', name)}?created_since=${since}&next=`)).toBe(true);
  });

  test('since an instant are complete, even if they are not quite in order', async () => {
    const rows = begin('7', { order: 'nearly', pageSize: limit }).report(name);
    const since = new Date(rows.at(44).atMs).toISOString();
    const expected = truth(rows, 45).toSorted();
    const walked = await walk(own('7', `${name}?created_since=${since}`));
    expect(told(name, walked.rows).toSorted()).toEqual(expected);
    const ndjson = await (await get(own('7', `${name}.ndjson?created_since=${since}`))).text();
    const lines = ndjson.trimEnd().split('\n');
    const exported = lines.map((line) => JSON.parse(line) as Row);
    expect(exported).toEqual(walked.rows);
  });

  test('are exported as CSV and NDJSON: the rows of a walk', async () => {
    begin('4', { pageSize: limit });
    const { rows } = await walk(own('4', name));
    const csv = await get(own('4', `${name}.csv`));
    expect(csv.headers.get('content-disposition')).toBe(`attachment; filename="campaign-${idOf('4')}-${name}.csv"`);
    const text = await csv.text();
    expect(text.split('\r\n')[0]).toBe(fieldsOf(name).join(','));
    expect(Papa.parse<Row>(text.trimEnd(), { header: true }).data).toEqual(rows);
    const ndjson = await (await get(own('4', `${name}.ndjson`))).text();
    expect(
      ndjson
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Row),
    ).toEqual(rows);
    expect(it.sandbox.callCount).toBe(3);
  });

  test('are exported each once, even if others arrive with every call', async () => {
    const rows = begin('5', { pageSize: limit }).report(name);
    await it.service.pages.purge();
    const before = truth(rows);
    const { calls } = it.sandbox;
    const { push } = calls;
    calls.push = (...news) => {
      if (calls.length > 0) it.sandbox.add('5', name, 3);
      return push.apply(calls, news);
    };
    const text = await (await get(own('5', `${name}.ndjson`))).text();
    calls.push = push;
    expect(it.sandbox.callCount).toBe(4);
    const exported = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    expect(told(name, exported)).toEqual(before);
  });

  test('with odd fields are kept, and those are empty', async () => {
    begin('6', { odd: { 0: 'no-date', 1: 'null-own', 2: 'null-address', 3: 'empty-contact' } });
    const { results } = (await (await get(own('6', `${name}?limit=5`))).json()) as Page;
    const [undated, , unaddressed, unknown, plain] = results;
    const [, date, first = ''] = documented[name];
    expect([undated?.[date], unaddressed?.['email_address'], unknown?.['contact_id']]).toEqual(['', '', '']);
    expect(results).toHaveLength(5);
    expect(plain?.[date]).not.toBe('');
    if (first !== date && name !== 'unsubscribes') expect(results[1]?.[first]).toBe('');
  });

  test('answer 304, HEAD, OPTIONS, and refuse what pages refuse', async () => {
    begin('1');
    const target = own('1', name);
    const etag = (await get(target)).headers.get('etag') ?? '';
    const conditional = { headers: { 'if-none-match': etag, 'cache-control': 'max-age=3600' } };
    expect((await get(target, conditional)).status).toBe(304);
    for (const path of [target, `${target}.csv`, `${target}.ndjson`]) {
      expect([path, (await get(path, { method: 'HEAD' })).status]).toEqual([path, 200]);
      expect((await get(path, { method: 'OPTIONS' })).headers.get('allow')).toBe('GET, HEAD, OPTIONS');
      expect((await get(path, { method: 'POST' })).status).toBe(405);
      expect((await get(path, { headers: { accept: 'image/png' } })).status).toBe(406);
    }
    expect(await errorsOf(`${target}?limit=501`)).toEqual([
      400,
      [{ parameter: 'limit', allowed: 'an integer from 1 to 500' }],
    ]);
    const allowed = name === 'clicks' ? 'created_since, link_id' : 'created_since';
    expect(await errorsOf(`${target}.csv?page=2`)).toEqual([400, [{ parameter: 'page', allowed: `${allowed}, bom` }]]);
    expect(await errorsOf(`${target}?page=2`)).toEqual([
      400,
      [{ parameter: 'page', allowed: `${allowed}, limit, next` }],
    ]);
  });

  test("are served at v2's own path, as views that cost no call", async () => {
    const rows = begin('8').report(name);
    const mine = await walk(`${base}/campaigns/8/${name}?limit=${limit}`);
    it.sandbox.forget();
    const { rows: theirs, links } = await walk(`${dropIn('8', name)}?limit=${limit}&api_key=theirs`, base);
    expect(theirs).toEqual(mine.rows);
    expect(told(name, theirs)).toEqual(truth(rows));
    for (const link of links)
      expect(link).toMatch(new RegExp(`^/v2/emailmarketing/campaigns/8/tracking/${name}\\?next=[\\w.~-]+$`));
    expect(it.sandbox.callCount).toBe(0);
    const since = new Date(rows.at(29).atMs).toISOString().slice(0, -1);
    const some = await walk(`${dropIn('8', name)}?limit=${limit}&created_since=${since}`, base);
    expect(told(name, some.rows)).toEqual(truth(rows, 30));
    expect(some.links).toHaveLength(1);
  });

  test('honour created_since beside the cursor of another walk, or refuse it with the reason, on both paths', async () => {
    const rows = begin('9').report(name);
    const instant = (index: number) => new Date(rows.at(index).atMs).toISOString();
    for (const [path, prefix] of [
      [own('9', name), ''],
      [dropIn('9', name), base],
    ] as const) {
      const nextOf = async (search: string) => {
        const { meta } = (await (await get(`${path}?limit=${limit}${search}`)).json()) as Page;
        return meta.pagination.next_link?.split('next=')[1];
      };
      const [filtered, whole] = [await nextOf(`&created_since=${instant(49)}`), await nextOf('')];
      for (const [next, index] of [
        [whole, 49],
        [whole, 30],
        [filtered, 49],
        [filtered, 30],
        [filtered, 55],
      ] as const) {
        const target = `${path}?created_since=${instant(index)}&next=${next}`;
        const answer = await get(target);
        if (answer.status === 400) {
          // What the cursor says of its walk is something else.
          expect([next, index]).not.toEqual([whole, 49]);
          expect([next, index]).not.toEqual([filtered, 49]);
          expect(await answer.text()).toContain('another `created_since`');
          continue;
        }
        const { rows: walked } = await walk(target, prefix);
        expect([index, ...told(name, walked)]).toEqual([index, ...truth(rows, index + 1).slice(limit)]);
      }
      expect(await get(`${path}?limit=7&next=${whole}`).then((answer) => answer.status)).toBe(200);
    }
  });
});

describe('clicks on one link', () => {
  test('beside the cursor of another link, or of all, are refused with the reason, on both paths', async () => {
    begin('10');
    const [link, other] = [linkId('10', 0), linkId('10', 1)];
    const nextOf = async (search: string) => {
      const { meta } = (await (await get(own('10', `clicks?limit=5${search}`))).json()) as Page;
      return meta.pagination.next_link?.split('next=')[1];
    };
    const [next, ofAll] = [await nextOf(`&link_id=${link}`), await nextOf('')];
    const at = async (target: string) => {
      const answer = await get(target);
      if (answer.status !== 200) return [answer.status, (await answer.text()).includes('a walk with other filters')];
      return [...new Set(((await answer.json()) as Page).results.map(({ link_id }) => link_id))];
    };
    expect(await at(own('10', `clicks?link_id=${link}&next=${next}`))).toEqual([link]);
    expect(await at(dropIn('10', `clicks/${link}?next=${next}`))).toEqual([link]);
    for (const target of [
      own('10', `clicks?link_id=${other}&next=${next}`),
      own('10', `clicks?link_id=${link}&next=${ofAll}`),
      dropIn('10', `clicks/${other}?next=${next}`),
    ]) {
      // With v2 the link stands in the path, and Constant Contact applies it to any cursor.
      const isFiltered = api === 'v2';
      const expected = isFiltered ? [target.includes(`link_id=${link}`) ? link : other] : [400, true];
      expect([target, ...(await at(target))]).toEqual([target, ...expected]);
    }
  });

  test.each<Partial<CampaignOptions>>([
    {},
    { cursors: 'opaque' },
    api === 'v2' ? { cursors: 'long' } : { design: 'page' },
  ])('are walked with instant, link and cursor in their links: %j', async (options) => {
    const campaign = begin('11', options);
    await it.service.pages.purge();
    const link = linkId('11', 0);
    const clicks = campaign.clicksOn(0);
    expect(clicks.size).toBeGreaterThan(10);
    const { rows, links } = await walk(own('11', `clicks?limit=5&link_id=${link}`));
    expect(told('clicks', rows)).toEqual(truth(clicks));
    expect(new Set(rows.map(({ link_id }) => link_id))).toEqual(new Set([link]));
    for (const one of links) expect(one.startsWith(`${own('11', 'clicks')}?link_id=${link}&next=`)).toBe(true);
    const [first] = it.sandbox.calls;
    if (api === 'v2') expect(first?.path).toMatch(/\/tracking\/clicks\/1$/);
    else expect(first?.query).toEqual({ limit: '5', url_id: link });

    const count = clicks.size - 3;
    const since = new Date(clicks.at(count - 1).atMs).toISOString();
    const recent = await walk(own('11', `clicks?link_id=${link}&limit=5&created_since=${since}`));
    expect(told('clicks', recent.rows)).toEqual(truth(clicks, count));
    const start = `${own('11', 'clicks')}?created_since=${since}&link_id=${link}&next=`;
    for (const one of recent.links) expect(one.startsWith(start)).toBe(true);
  });

  test('are exported, into files that say so', async () => {
    const clicks = begin('12', { pageSize: 5 }).clicksOn(0);
    const link = linkId('12', 0);
    const csv = await get(own('12', `clicks.csv?link_id=${link}`));
    expect(csv.headers.get('content-disposition')).toContain(`campaign-${idOf('12')}-clicks-link-${link}.csv`);
    const { data } = Papa.parse<Row>((await csv.text()).trimEnd(), { header: true });
    expect(told('clicks', data)).toEqual(truth(clicks));
  });

  test('on another link, or none of the campaign, are others', async () => {
    const campaign = begin('13');
    const rows = async (link: string) => (await walk(own('13', `clicks?link_id=${link}`))).rows;
    const each = await Promise.all(campaign.urls.map((_, n) => rows(linkId('13', n))));
    expect(each.map(({ length }) => length)).toEqual(campaign.urls.map((_, n) => campaign.clicksOn(n).size));
    expect(each.flat()).toHaveLength(size);
    expect(await rows('99')).toEqual([]);
  });

  test("are served at v2's own path", async () => {
    const clicks = begin('14').clicksOn(0);
    const link = linkId('14', 0);
    const mine = await walk(`${base}/campaigns/14/clicks?limit=5&link_id=${link}`);
    it.sandbox.forget();
    const { rows, links } = await walk(`${dropIn('14', `clicks/${link}`)}?limit=5`, base);
    expect(rows).toEqual(mine.rows);
    expect(told('clicks', rows)).toEqual(truth(clicks));
    for (const one of links) {
      expect(one).toMatch(new RegExp(`^/v2/emailmarketing/campaigns/14/tracking/clicks/${link}\\?next=[\\w.~-]+$`));
    }
    expect(it.sandbox.callCount).toBe(0);
  });

  test.each(['x', '', '1.5', '-1', '1'.repeat(21), '%20', '1&link_id=2'])('with link_id=%s get 400', async (link) => {
    begin('1');
    const allowed = link.includes('&') ? 'once' : '1 to 20 digits';
    const refused = [400, [{ parameter: 'link_id', allowed }]];
    for (const tail of ['clicks', 'clicks.csv', 'clicks.ndjson']) {
      expect(await errorsOf(own('1', `${tail}?link_id=${link}`))).toEqual(refused);
    }
    expect(it.sandbox.callCount).toBe(0);
  });

  test.each([
    'clicks/x',
    'clicks/%20',
    `clicks/${'1'.repeat(21)}`,
    'clicks/1?link_id=2',
    'clicks?link_id=1',
    'opens?link_id=1',
  ])("get 400 in v2's form at %s", async (tail) => {
    const answer = await get(dropIn('1', tail));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual([
      { error_key: 'query.param.invalid', error_message: expect.stringContaining('link_id') },
    ]);
  });

  test("are no resource of other reports at v2's path", async () => {
    for (const name of names.filter((one) => one !== 'clicks')) {
      expect([name, (await get(dropIn('1', `${name}/1`))).status]).toEqual([name, 404]);
    }
  });
});

test.each(names.filter((name) => name !== 'clicks'))('link_id is no parameter of %s', async (name) => {
  const parameter = 'link_id';
  expect(await errorsOf(own('1', `${name}?link_id=1`))).toEqual([
    400,
    [{ parameter, allowed: 'created_since, limit, next' }],
  ]);
  expect(await errorsOf(own('1', `${name}.csv?link_id=1`))).toEqual([
    400,
    [{ parameter, allowed: 'created_since, bom' }],
  ]);
});

describe('The cache', () => {
  /** First pages that share nothing. */
  const walksOf = (id: string) => [
    ...names.map((name) => own(id, `${name}?limit=${limit}`)),
    ...[0, 1].map((link) => own(id, `clicks?limit=5&link_id=${linkId(id, link)}`)),
  ];
  const nextOf = async (target: string) => `${((await (await get(target)).json()) as Page).meta.pagination.next_link}`;

  test('holds each report, and the clicks on each link, apart', async () => {
    begin('21');
    const targets = walksOf('21');
    const pages = [...targets];
    for (const target of targets) pages.push(await nextOf(target));
    for (const page of pages.slice(targets.length)) await get(page);
    expect(it.sandbox.callCount).toBe(pages.length);
    const etags = new Set<string | null>();
    for (const page of pages) {
      const answer = await get(page);
      expect(how(answer)).toMatch(/^sendgate; hit/);
      etags.add(answer.headers.get('etag'));
    }
    expect(etags.size).toBe(pages.length);
    expect(it.sandbox.callCount).toBe(pages.length);
  });

  test('has one entry for two spellings of a link_id', async () => {
    begin('22');
    const link = linkId('22', 0);
    await get(own('22', `clicks?link_id=${link}`));
    expect(await isHit(own('22', `clicks?limit=500&link_id=00${link}`))).toBe(true);
    expect(it.sandbox.callCount).toBe(1);
  });

  test('invalidates the later pages of the walk whose first page changes, and of no other', async () => {
    begin('23');
    const targets = walksOf('23');
    const later = new Map<string, string>();
    for (const target of targets) later.set(target, await nextOf(target));
    for (const page of later.values()) await get(page);
    for (const changed of targets) {
      const name = names.find((one) => changed.includes(`/${one}?`)) as ReportName;
      // Enough for one click on each link.
      it.sandbox.add('23', name, 12);
      it.clock.forward(61);
      await get(changed, { headers: { 'cache-control': 'no-cache' } });
      for (const [target, page] of later) {
        expect([changed, target, await isHit(page)]).toEqual([changed, target, target !== changed]);
      }
    }
  });

  test('forgets all of a campaign when it is purged, and of no other', async () => {
    begin('24');
    begin('25');
    const { status } = await get(`${base}/campaigns`);
    expect(status).toBe(200);
    const targetsOf = (id: string) => [
      ...walksOf(id),
      ...['', '/summary', '/links'].map((tail) => `${base}/campaigns/${idOf(id)}${tail}`),
    ];
    const dropIns = names.map((name) => dropIn('24', name));
    const purged = [...targetsOf('24'), `${base}/campaigns`, ...dropIns];
    for (const target of [...purged, ...targetsOf('25')]) await get(target);
    it.clock.forward(30);
    const ageOf = async (target: string) => Number((await get(target)).headers.get('age'));
    const isOld = async (target: string) => (await ageOf(target)) >= 30;
    for (const target of purged) expect([target, await isOld(target)]).toEqual([target, true]);
    const answer = await fetch(`${it.service.managementUrl}/purge?campaign=${idOf('24')}`, { method: 'POST' });
    expect(await answer.json()).toEqual({ pages: expect.any(Number), everywhere: true });
    for (const target of purged) expect([target, await isOld(target)]).toEqual([target, false]);
    for (const target of targetsOf('25')) expect([target, await isOld(target)]).toEqual([target, true]);
  });
});

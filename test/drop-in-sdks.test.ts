/**
 * v2's path as the archived SDKs call it: the npm one itself, and the others' recorded requests.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { allReports, reports } from '../src/model/reports.ts';
import type { ReportName } from '../src/model/resource.ts';
import { type Send, sendsReport } from '../src/model/sends.ts';
import { linkIdOf, urlIdOf } from '../src/sandbox/links.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { type Harness, type PageJson, start } from './support/harness.ts';
import { connection, type FirstPage, type Style, styles } from './support/sdks.ts';

const require = createRequire(import.meta.url);
const teamToken = 'token-of-jobs';
const teams = [{ name: 'jobs', tokensSha256: [createHash('sha256').update(teamToken).digest('hex')] }];
const keys = { apiKey: 'callers-api-key', token: teamToken };
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const size = 124;
const pageSize = 50;
const pathOf = (id: string, report = 'sends') => `emailmarketing/campaigns/${id}/tracking/${report}`;
const names = allReports.map(({ name }) => name);
/** Rows of each report of campaign 15, on three pages. */
const reportSize = 45;

const setups = [
  ['v2', ''],
  ['v3', '/ctct'],
] as const;

describe.each(setups)('in front of %s, below %j', (version, base) => {
  let it: Harness;
  let reported: ReturnType<Harness['sandbox']['campaign']>;
  beforeAll(async () => {
    it = await start(
      {
        SENDGATE_SERVER_DROP_IN_V2: 'true',
        SENDGATE_SERVER_BASE_PATH: base,
        SENDGATE_TEAMS: JSON.stringify(teams),
        SENDGATE_CALLERS_REQUIRED: 'true',
      },
      {},
      version,
    );
    it.sandbox.campaign({ id: '11', size, newestMs, pageSize });
    it.sandbox.campaign({ id: '12', size, newestMs, pageSize, cursors: 'time' });
    it.sandbox.campaign({ id: '13', size, newestMs, pageSize, cursors: 'opaque' });
    it.sandbox.campaign({ id: '14', size: 30, newestMs, cursors: 'opaque', pageSize: 7 });
    reported = it.sandbox.campaign({
      ...{ id: '15', size: reportSize, newestMs, cursors: 'opaque', pageSize: 20 },
      reports: Object.fromEntries(names.map((name) => [name, { size: reportSize, newestMs, spacingMs: 1000 }])),
    });
  });
  afterAll(() => it.close());

  async function walk(style: Style, page: FirstPage) {
    const { send, close } = connection(it.url);
    const sends: Send[] = [];
    let pages = 0;
    try {
      for (let call = style.first(base, page, keys); ; pages++) {
        const answer = await send(call);
        expect([call.target, answer.status]).toEqual([call.target, 200]);
        expect(answer.headers['ratelimit']).toMatch(/^"jobs"/);
        const { meta, results } = JSON.parse(answer.text) as PageJson;
        sends.push(...results);
        const link = meta.pagination.next_link;
        expect(answer.headers['link']).toBe(link && `<${base}${link}>; rel="next"`);
        if (link === undefined) break;
        expect(link).toMatch(/^\/v2\/[\w/]+\?next=[\w.~-]+$/);
        call = style.follow(base, link, page.path, keys);
      }
    } finally {
      close();
    }
    return { sends, pages: pages + 1 };
  }

  const linkId = version === 'v3' ? urlIdOf('15', 0) : linkIdOf(0);
  const clicksOnLink = () => reported.clicksOn(0).size;

  /** What a program reads of a report: each row once, with v2's fields in their order and nothing beside them. */
  function checkRows(name: ReportName, rows: readonly Send[], count = reportSize): void {
    expect([name, rows.length]).toEqual([name, count]);
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(count);
    for (const row of rows) expect(Object.keys(row)).toEqual([...reports[name].fields]);
  }

  describe.each(styles.map((style) => [style.name, style] as const))('%s', (_, style) => {
    test.each([
      ['11', 500],
      ['12', 7],
      ['13', 500],
      ['13', 7],
    ])('walks campaign %s at limit %d: each send once', async (id, limit) => {
      const { sends, pages } = await walk(style, { path: pathOf(id), limit });
      expect(sends).toHaveLength(size);
      expect(new Set(sends.map(({ contact_id }) => contact_id)).size).toBe(size);
      expect(pages).toBe(Math.ceil(size / Math.min(limit, pageSize)));
      // Of a row with anything beside these, Java 5 reads nothing.
      expect(Object.keys(sends[0] ?? {})).toEqual([...sendsReport.fields]);
    });

    test.each([
      ['11', 12],
      ['12', 14],
      ['13', 34],
    ])('walks campaign %s since an instant, and ends where v2 would', async (id, since) => {
      // With 14, the last send ends its page.
      const { atMs } = it.sandbox.campaign({ id, size, newestMs, pageSize, cursors: cursorsOf(id) }).at(since - 1);
      const page = { path: pathOf(id), limit: 7, since: new Date(atMs) };
      const { sends, pages } = await walk(style, page);
      expect(sends).toHaveLength(since);
      expect(pages).toBe(Math.ceil(since / 7));
    });

    test('walks every report, and the clicks on one link', async () => {
      for (const name of names) {
        const { sends: rows, pages } = await walk(style, { path: pathOf('15', name), limit: 20 });
        checkRows(name, rows);
        expect(pages).toBe(3);
      }
      const { sends: clicks } = await walk(style, { path: pathOf('15', `clicks/${linkId}`), limit: 10 });
      checkRows('clicks', clicks, clicksOnLink());
      expect(new Set(clicks.map((row) => (row as Partial<Record<string, string>>)['link_id']))).toEqual(
        new Set([linkId]),
      );
    });

    test.each([
      [400, 'query.param.invalid', pathOf('15', 'clicks/x'), 7],
      [400, 'query.param.invalid', pathOf('11'), 0],
      [404, 'http.status.not_found', pathOf('404404'), 7],
      [404, 'http.status.not_found', 'lists', 7],
      [404, 'http.status.not_found', 'contacts/1/tracking/activity', 7],
      [404, 'http.status.not_found', 'no/such/path', 7],
    ])('reads an error %d %s of %s', async (status, error_key, path, limit) => {
      const { send, close } = connection(it.url);
      const answer = await send(style.first(base, { path, limit }, keys));
      close();
      expect(answer.status).toBe(status);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(JSON.parse(answer.text)).toEqual([{ error_key, error_message: expect.any(String) }]);
    });

    test('gets an array for an unknown campaign', async () => {
      const { send, close } = connection(it.url);
      for (const path of [pathOf('11'), 'lists']) {
        const answer = await send(style.first(base, { path, limit: 7 }, { ...keys, token: 'of-constant-contact' }));
        expect(answer.status).toBe(401);
        const error_key = 'http.status.authentication.invalid_token';
        expect(JSON.parse(answer.text)).toEqual([{ error_key, error_message: expect.any(String) }]);
      }
      close();
    });
  });

  describe('Node', () => {
    test.each(['11', '12', '13', '14'])('walks campaign %s with its own walker', async (id) => {
      const cc = nodeSdk(`${it.url}${base}`, keys);
      const sends: Send[] = [];
      let pages = 0;
      let isFinished = false;
      await cc.paginate(
        cc.campaigns.tracking.sends({ id }),
        (page) => {
          sends.push(...page.results);
          pages++;
        },
        undefined,
        () => {
          isFinished = true;
        },
      );
      const all = id === '14' ? 30 : size;
      expect([isFinished, sends.length, pages]).toEqual([true, all, Math.ceil(all / (id === '14' ? 7 : pageSize))]);
      expect(new Set(sends.map(({ contact_id }) => contact_id)).size).toBe(all);
    });

    test.each([...names, 'clicks.links'] as const)('walks %s with its own walker', async (action) => {
      const cc = nodeSdk(`${it.url}${base}`, keys);
      const rows: Send[] = [];
      const first = cc.campaigns.tracking[action]({ id: '15', ...(action === 'clicks.links' && { linkId }) });
      await cc.paginate(first, ({ results }) => void rows.push(...results));
      if (action === 'clicks.links') checkRows('clicks', rows, clicksOnLink());
      else checkRows(action, rows);
    });

    test('reads an error of a link that is none', async () => {
      const cc = nodeSdk(`${it.url}${base}`, keys);
      const refused = await cc.campaigns.tracking['clicks.links']({ id: '15', linkId: 'x' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).toMatchObject({ status: 400, body: [{ error_key: 'query.param.invalid' }] });
    });

    test.each([
      ['404404', keys, 404, 'http.status.not_found'],
      ['x', keys, 400, 'query.param.invalid'],
      ['11', { ...keys, token: 'of-constant-contact' }, 401, 'http.status.authentication.invalid_token'],
    ])('reads an error of campaign %s', async (id, given, status, error_key) => {
      const cc = nodeSdk(`${it.url}${base}`, given);
      const refused = await cc.campaigns.tracking.sends({ id }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).toMatchObject({ status, body: [{ error_key }] });
    });

    test('reads the error of an unknown resource', async () => {
      const refused = await nodeSdk(`${it.url}${base}`, keys)
        .lists.find()
        .then(
          () => undefined,
          (error: unknown) => error,
        );
      expect(refused).toMatchObject({ status: 404, body: [{ error_key: 'http.status.not_found' }] });
    });
  });

  test('their credentials are neither forwarded nor logged', async () => {
    const { send, close } = connection(it.url);
    for (const style of styles) await send(style.first(base, { path: pathOf('11'), limit: 9 }, keys));
    close();
    const sentUp = JSON.stringify(it.sandbox.calls.map(({ path, query, headers }) => ({ path, query, headers })));
    for (const secret of Object.values(keys)) {
      expect(sentUp).not.toContain(secret);
      expect(it.lines.join('')).not.toContain(secret);
    }
    // The requested ids are those of the campaigns.
    expect(sentUp).toContain(version === 'v2' ? '/campaigns/11/' : activityIdOf('11'));
  });
});

const cursorsOf = (id: string) => (['offset', 'time', 'opaque'] as const)[Number(id) - 11] ?? 'offset';

interface NodeSdk {
  readonly campaigns: {
    readonly tracking: Readonly<
      Record<
        ReportName | 'clicks.links',
        (params: { readonly id: string; readonly linkId?: string }) => Promise<PageJson>
      >
    >;
  };
  readonly lists: { find(): Promise<unknown> };
  paginate(
    first: Promise<PageJson>,
    handle: (page: PageJson) => void,
    reject?: (error: unknown) => void,
    finished?: () => void,
  ): Promise<void>;
}

/** The SDK with only its base address changed. */
function nodeSdk(baseUrl: string, { apiKey, token }: typeof keys): NodeSdk {
  const ofSdk = createRequire(require.resolve('node-constantcontact'));
  const providers = ofSdk('@purest/providers') as { constantcontact: Record<string, unknown> };
  providers.constantcontact = { [baseUrl]: Object.values(providers.constantcontact)[0] };
  // In all of its releases, its walker calls this where it is not, and ends behind the first page of any server.
  const resource = ofSdk('./resource.js') as { invokeRequest?: unknown; prototype: { invokeRequest: unknown } };
  resource.invokeRequest ??= resource.prototype.invokeRequest;
  const ConstantContact = require('node-constantcontact');
  return new ConstantContact({ apiKey, accessToken: token });
}

/**
 * v2's path for programs written for it: with a real one of them, in front of either version.
 */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { campaignIdRules } from '../src/model/campaign-ids.ts';
import { pageBehind } from '../src/model/page-query.ts';
import { reports } from '../src/model/reports.ts';
import type { Send } from '../src/model/sends.ts';
import { parseDropInQuery } from '../src/reports/v2-compat/drop-in.ts';
import { dropInLink } from '../src/reports/v2-compat/drop-in-links.ts';
import { documentedCampaign } from '../src/sandbox/sandbox.ts';
import { ask } from './support/ask.ts';
import { type Environment, type Harness, type PageJson, start } from './support/harness.ts';
import { dial, wire } from './support/raw.ts';

const resource = (id: string, search = '') => `/v2/emailmarketing/campaigns/${id}/tracking/sends${search}`;
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const theirs = { apiKey: 'callers-api-key-1', accessToken: 'callers-token-1' };

/** A cursor that looks like one of Sendgate's. */
const forged = (instant: string, cursor: string) => Buffer.from(`sendgate ${instant} ${cursor}`).toString('base64url');
const documentedCursor = 'c3RhcnRBdD0zJmxpbWl0PTI';
const inArray = (error_key: string) => [{ error_key, error_message: expect.any(String) }];

describe.each(['v2', 'v3'] as const)('in front of %s', (version) => {
  let it: Harness;
  beforeAll(async () => {
    it = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true' }, {}, version);
    it.sandbox.campaign(documentedCampaign);
    it.sandbox.campaign({ id: '5', size: 60, newestMs });
  });
  afterAll(() => it.close());

  const call = (target: string, headers: Record<string, string> = {}) =>
    fetch(`${it.url}${target}`, { headers: { authorization: `Bearer ${theirs.accessToken}`, ...headers } });
  const page = async (target: string) => (await (await call(target)).json()) as PageJson;

  test('the documented example gets the documented response', async () => {
    const first = await page(resource(documentedCampaign.id));
    expect(first.results.map(({ email_address }) => email_address)).toEqual(['abc@example.com', 'def@example.com']);
    expect(first.results[0]?.campaign_id).toBe(documentedCampaign.id);
    const link = first.meta.pagination.next_link ?? '';
    // v2's cursor is Constant Contact's own.
    const cursor = version === 'v2' ? documentedCursor : link.slice(link.indexOf('=') + 1);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(link).toBe(`${resource(documentedCampaign.id)}?next=${cursor}`);
    const second = await page(link);
    expect(second.results).toHaveLength(1);
    expect(second.meta).toEqual({ pagination: {} });
  });

  test('a created_since walk continues with the cursor alone, as in v2', async () => {
    const campaign = it.sandbox.campaign({ id: '5', size: 60, newestMs });
    const since = new Date(campaign.at(34).atMs).toISOString();
    const all: Send[] = [];
    for (let next: string | undefined = resource('5', `?limit=10&created_since=${since}&api_key=x`); next; ) {
      const { results, meta }: PageJson = await page(next);
      all.push(...results);
      next = meta.pagination.next_link;
      if (next) expect(next).toMatch(/^\/v2\/emailmarketing\/campaigns\/5\/tracking\/sends\?next=[\w-]+$/);
    }
    expect(all).toHaveLength(35);
    expect(new Set(all.map(({ contact_id }) => contact_id)).size).toBe(35);
  });

  test("pages are views of Sendgate's own and cost no call", async () => {
    await it.page('/campaigns/5/sends?limit=20');
    const before = it.sandbox.callCount;
    const answer = await call(resource('5', '?limit=20&api_key=one'));
    expect(answer.headers.get('cache-status')).toMatch(/^sendgate; hit/);
    expect((await call(resource('5', '?api_key=two&limit=20&access_token=three'))).status).toBe(200);
    expect(it.sandbox.callCount).toBe(before);
    expect(((await answer.json()) as PageJson).results).toEqual((await it.page('/campaigns/5/sends?limit=20')).results);
  });

  test.each([
    ['?limit=0', 400, 'query.param.invalid'],
    ['?next=nonsense', 400, 'query.param.invalid'],
    [`?next=${forged('yesterday', 'c3RhcnRBdD0zJmxpbWl0PTI')}`, 400, 'query.param.invalid'],
    [`?next=${forged('2020-01-01T00:00:00.000Z', '\r\n')}`, 400, 'query.param.invalid'],
    // Another spelling of our cursor is invalid: each query has one cache entry.
    [`?next=${forged('2020-01-01T00:00:00Z', documentedCursor)}`, 400, 'query.param.invalid'],
    [`?next=${forged('2020-01-01T00:00:00.000Z', documentedCursor)}%3D`, 400, 'query.param.invalid'],
    [`?next=${forged('', documentedCursor)}`, 400, 'query.param.invalid'],
    [`?next=${forged('', 'a b').slice(0, -1)}`, 400, 'query.param.invalid'],
    ['?next=', 400, 'query.param.invalid'],
    [`?next=${'a'.repeat(2_049)}`, 400, 'query.param.invalid'],
    ['?created_since=yesterday', 400, 'query.param.invalid'],
    ['?created_since=2012-02-30T10:00:00', 400, 'query.param.invalid'],
    ['?client_secret=x', 400, 'query.param.invalid'],
  ])('%s is %d, in an array', async (search, status, error_key) => {
    const answer = await call(resource('5', search));
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual(inArray(error_key));
  });

  test('a cursor from an older Sendgate still works', async () => {
    const own = await it.page(`/campaigns/${documentedCampaign.id}/sends`);
    const [, cursor = ''] = own.meta.pagination.next_link?.split('next=') ?? [];
    const { results } = await page(resource(documentedCampaign.id, `?next=${cursor}`));
    expect(results).toHaveLength(1);
    const since = forged('2012-01-01T00:00:00.000Z', cursor);
    expect((await page(resource(documentedCampaign.id, `?next=${since}`))).results).toEqual(results);
  });

  test.each([
    ['2026-01-01T11:59:30', '2026-01-01T11:59:30.000Z'],
    ['2026-01-01T11:59:30.500000', '2026-01-01T11:59:30.500Z'],
    ['2026-01-01T11:59', '2026-01-01T11:59:00.000Z'],
    ['2026-01-01T12:59:30%2B0100', '2026-01-01T11:59:30.000Z'],
    ['2026-01-01T12:59:30+01:00', '2026-01-01T11:59:30.000Z'],
    ['2025-12-31', '2025-12-31T00:00:00.000Z'],
  ])('created_since=%s is the instant %s, and shares its page', async (spelled, instant) => {
    const answer = await call(resource('5', `?created_since=${spelled}`));
    const { results } = (await answer.json()) as PageJson;
    expect(results.length).toBe(it.sandbox.campaign({ id: '5', size: 60, newestMs }).countSince(Date.parse(instant)));
    expect((await call(resource('5', `?created_since=${instant}`))).headers.get('cache-status')).toContain('; hit');
    // On Sendgate's own path, an instant needs a zone.
    for (const target of ['/campaigns/5/sends', '/campaigns/5/sends.csv']) {
      const own = await it.get(`${target}?created_since=${spelled}`);
      expect(own.status).toBe(/(T[\d:.]+)$/.test(spelled) ? 400 : 200);
      if (own.status === 400) expect(await own.text()).toContain('"problem":"has no time zone"');
    }
  });

  test('guards and methods are the same', async () => {
    expect((await call(resource('5'), { origin: 'https://evil.example' })).status).toBe(403);
    expect((await fetch(`${it.url}${resource('5')}`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${it.url}${resource('5')}`, { method: 'HEAD' })).status).toBe(200);
    expect((await call(resource('5'), { accept: 'text/xml' })).status).toBe(406);
  });

  test('an upstream error keeps its status', async () => {
    it.sandbox.fault({ kind: 'status', status: 400, campaign: '6' });
    it.sandbox.campaign({ id: '6', size: 1, newestMs });
    const answer = await call(resource('6'));
    expect(answer.status).toBe(502);
    expect(await answer.json()).toEqual(inArray('sendgate.upstream-failed'));
  });
});

test('v2 paths are served only if configured, and under the base path', async () => {
  const off = await start();
  const on = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true', SENDGATE_SERVER_BASE_PATH: '/ctct' });
  const bare = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true' });
  try {
    const answer = await off.get(resource('5'));
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    for (const { sandbox } of [on, bare]) sandbox.campaign(documentedCampaign);
    // A client puts its base address in front of the link of a body; that of a header is resolved against the request.
    for (const [harness, base] of [
      [on, '/ctct'],
      [bare, ''],
    ] as const) {
      const url = `${harness.url}${base}${resource(documentedCampaign.id)}`;
      const first = await fetch(url);
      const { meta } = (await first.json()) as PageJson;
      expect(meta.pagination.next_link).toBe(`${resource(documentedCampaign.id)}?next=${documentedCursor}`);
      const target = /^<(.+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
      const next = `${harness.url}${base}${meta.pagination.next_link}`;
      expect(new URL(target, url).href).toBe(next);
      expect(((await (await fetch(next)).json()) as PageJson).results).toHaveLength(1);
    }
  } finally {
    for (const harness of [off, on, bare]) await harness.close();
  }
});

test.each([
  ['sends', undefined],
  ['unsubscribes', undefined],
  ['clicks', undefined],
  ['clicks', '7'],
] as const)('a cursor of %s, %s, comes back unchanged, however often a client has encoded it', (name, filter) => {
  const cursor = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 1,
    maxLength: 2_048,
  });
  const since = fc.option(
    fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }).map((date) => date.toISOString()),
    { nil: undefined },
  );
  const pattern = new RegExp(
    `^/v2/emailmarketing/campaigns/5/tracking/${name}${filter === undefined ? '' : `/${filter}`}\\?next=([\\w.~-]+)$`,
  );
  fc.assert(
    fc.property(cursor, since, fc.integer({ min: 0, max: 2 }), (text, since, times) => {
      const step = pageBehind({ resource: name, campaign: '5', since, filter }, text);
      const link = dropInLink(step);
      const [, next = ''] = pattern.exec(link) ?? [];
      let sent = next;
      // As Ruby's SDK does.
      for (let n = 0; n <= times; n++) sent = encodeURIComponent(sent).replaceAll('-', '%2D');
      // A cursor that is none of ours, and has to be encoded nowhere, is encoded once by Ruby's.
      const search = next === text && times > 0 ? `next=${next}` : `next=${sent}`;
      const query = parseDropInQuery(reports[name], { id: '5', linkId: filter }, search, campaignIdRules.v2);
      expect(query).toEqual({ ...step, form: 'v2' });
    }),
  );
});

describe('an error of any path below /v2/', () => {
  let it: Harness;
  const open: Harness[] = [];
  afterEach(async () => {
    for (const harness of open.splice(0)) await harness.close();
  });
  async function up(env: Environment = {}) {
    it = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true', ...env });
    open.push(it);
    it.sandbox.campaign({ id: '5', size: 60, newestMs });
  }
  /** Straight to it: what refuses here is what a proxy of the suite would refuse, too. */
  const to = (target: string, headers: Record<string, string> = {}, method?: string) =>
    ask(`${it.service.url}${target}`, headers, method);

  test.each(['', '/ctct'])('is an array, below %j', async (basePath) => {
    await up({ SENDGATE_SERVER_BASE_PATH: basePath });
    const theirs = [
      '/v2',
      '/v2/',
      '/v2?api_key=x',
      '/v2#x',
      '/v2/lists',
      '/v2/lists/?access_token=x',
      '/v2/emailmarketing/campaigns',
      '/v2/emailmarketing/campaigns/5/tracking/nothing',
      '/v2/emailmarketing/campaigns/5/tracking/sends/more',
      '//v2/lists',
      '/v2//lists',
      '/%76%32/lists',
      '/v%32%2flists',
      '/v2/%65mailmarketing/campaigns',
      '/v2/%E0%A4%A',
    ];
    for (const path of theirs) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const { status, headers, body } = await to(`${basePath}${path}`, {}, method);
        expect([path, status, headers['content-type']]).toEqual([path, 404, 'application/json']);
        expect([path, JSON.parse(body)]).toEqual([path, inArray('http.status.not_found')]);
      }
    }
    const undecodable = await to(`${basePath}/v2/emailmarketing/campaigns/%E0%A4%A/tracking/sends`);
    expect([undecodable.status, JSON.parse(undecodable.body)]).toEqual([400, inArray('query.param.invalid')]);
    for (const path of ['/v2x/lists', '/v22', '/V2/lists', '/x/v2/lists', '/x?y=/v2/']) {
      const { status, headers } = await to(`${basePath}${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect([path, headers['content-type']]).toEqual([path, 'application/problem+json']);
    }
    const whole = await dial(it.service.url);
    whole.socket.write(wire(`HTTP://localhost${basePath}/v2/lists?api_key=x`, ['Connection: close']));
    expect(await whole.closed).toMatch(
      /^HTTP\/1\.1 404 [\s\S]*Content-Type: application\/json\r\n[\s\S]*\[{"error_key"/,
    );
  });

  test('is an array from guards, limits and the parser too', async () => {
    await up({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '6', SENDGATE_CALLERS_CORS_ORIGINS: 'https://a.example' });
    const refused: [number, string, Record<string, string>, string?][] = [
      [405, 'http.status.method_not_allowed', {}, 'POST'],
      [405, 'http.status.method_not_allowed', {}, 'DELETE'],
      [406, 'http.status.not_acceptable', { accept: 'text/xml' }],
      [403, 'sendgate.origin-not-allowed', { origin: 'https://evil.example' }],
      [421, 'sendgate.misdirected-request', { host: 'evil.example' }],
      [417, 'sendgate.expectation-failed', { expect: 'tea' }],
      [431, 'sendgate.headers-too-large', Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`x-${n}`, '1']))],
    ];
    for (const [status, key, headers, method] of refused) {
      const answer = await to(resource('5'), headers, method);
      expect([status, answer.status, JSON.parse(answer.body)]).toEqual([status, status, inArray(key)]);
      expect(answer.headers['content-type']).toBe('application/json');
    }
    while ((await to(resource('5'))).status === 200);
    for (const path of [resource('5'), '/v2/lists']) {
      const over = await to(path);
      expect([over.status, JSON.parse(over.body)]).toEqual([429, inArray('sendgate.rate-limited')]);
      expect(over.headers['retry-after']).toMatch(/^\d+$/);
    }
  });

  test('is an array when a connection has too many queued requests', async () => {
    await up();
    const { socket, closed } = await dial(it.service.url);
    socket.write(wire('/v2/lists').repeat(102));
    const text = await closed;
    expect(text).toMatch(
      /HTTP\/1\.1 429 [\s\S]*Content-Type: application\/json\r\n[\s\S]*sendgate\.rate-limited[^\n]*$/,
    );
  });

  test.each([
    [502, 'sendgate.upstream-failed', { kind: 'malformed' }],
    [504, 'sendgate.upstream-timeout', { kind: 'hang' }],
    [503, 'sendgate.upstream-quota-exhausted', { kind: 'over-ratelimit' }],
  ] as const)('is an array when Constant Contact fails: %d', async (status, key, fault) => {
    await up({ SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '100' });
    it.sandbox.fault(fault);
    const answer = await to(resource('5'));
    expect([answer.status, JSON.parse(answer.body)]).toEqual([status, inArray(key)]);
  });
});

describe('the end of a walk with created_since, which v3 does not filter by', () => {
  let it: Harness;
  beforeAll(async () => {
    const env = {
      SENDGATE_SERVER_DROP_IN_V2: 'true',
      SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
      SENDGATE_TEAMS: JSON.stringify([
        { name: 'jobs', tokensSha256: [createHash('sha256').update(token).digest('hex')] },
      ]),
    };
    it = await start(env, {}, 'v3');
  });
  afterAll(() => it.close());
  const page = async (target: string) => (await (await fetch(`${it.url}${target}`)).json()) as PageJson;
  const token = 'token-of-jobs';
  const callsOf = async (team: string): Promise<number> => {
    const status = await (await fetch(`${it.service.managementUrl}/status`)).json();
    const { teams } = status as { teams: { team: string; calls: number }[] };
    return teams.find((one) => one.team === team)?.calls ?? 0;
  };
  const sinceOf = (id: string, count: number) =>
    new Date(it.sandbox.campaign({ id, size: 60, newestMs }).at(count - 1).atMs).toISOString();

  test('is found with the page that would be requested next, at no extra call', async () => {
    const since = sinceOf('21', 20);
    const before = it.sandbox.callCount;
    const first = await page(resource('21', `?limit=10&created_since=${since}`));
    const lookup = 1;
    expect(it.sandbox.callCount - before - lookup).toBe(2);
    const second = await page(first.meta.pagination.next_link ?? '');
    expect(second.results).toHaveLength(10);
    expect(second.meta).toEqual({ pagination: {} });
    expect(it.sandbox.callCount - before - lookup).toBe(3);
    // On Sendgate's own path, the reader follows the link to an empty page.
    const own = await page(`/campaigns/21/sends?limit=20&created_since=${since}`);
    expect(own.meta.pagination.next_link).toBeDefined();
  });

  test('is left to the reader if that page is unavailable', async () => {
    const since = sinceOf('22', 10);
    const cursor = Buffer.from('startAt=11&limit=10').toString('base64url');
    it.sandbox.fault({ kind: 'status', status: 404, query: { next: cursor }, times: 1 });
    const first = await page(resource('22', `?limit=10&created_since=${since}`));
    expect(first.results).toHaveLength(10);
    expect(first.meta.pagination.next_link).toBeDefined();
    it.sandbox.heal();
  });

  test("is looked up on the requesting team's account", async () => {
    const since = sinceOf('23', 10);
    const before = await callsOf('jobs');
    const answer = await fetch(`${it.url}${resource('23', `?limit=10&created_since=${since}&access_token=${token}`)}`);
    expect(((await answer.json()) as PageJson).meta).toEqual({ pagination: {} });
    expect((await callsOf('jobs')) - before).toBe(3); // Two pages, and the lookup of the id in v3.
  });
});

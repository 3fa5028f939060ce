/**
 * The stand-in for Constant Contact has to be as strict as the original, or the other tests prove nothing.
 */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { documentedCampaign, type Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { ForwardClock } from './support/clock.ts';
import { accessToken, apiKey, startSandbox } from './support/harness.ts';

let sandbox: Sandbox;
const clock = new ForwardClock();
const sends = (id: string) => `/v2/emailmarketing/campaigns/${id}/tracking/sends`;

beforeEach(async () => {
  sandbox = await startSandbox({ clock, limits: { perSecond: 4, perDay: 12 } });
  sandbox.campaign(documentedCampaign);
  sandbox.campaign({ id: '5', size: 5, newestMs: Date.parse('2026-01-01'), numericIds: true, cursors: 'time' });
  sandbox.campaign({ id: '6', size: 5, newestMs: Date.parse('2026-01-01') });
});
afterEach(() => sandbox.stop());

const get = (path: string, { key = apiKey, token = accessToken, accept = 'application/json' } = {}) =>
  fetch(`${sandbox.url}${path}${path.includes('?') ? '&' : '?'}api_key=${encodeURIComponent(key)}`, {
    headers: { authorization: `Bearer ${token}`, accept },
  });
const body = async (path: string) => (await get(path)).json();
const cursorText = (link: string) =>
  Buffer.from(new URL(link, 'http://x').searchParams.get('next') ?? '', 'base64url').toString();

describe('the sandbox', () => {
  test('serves the documented example verbatim', async () => {
    expect(await body(sends('1100394165287'))).toMatchObject({
      meta: { pagination: { next_link: `${sends('1100394165287')}?next=c3RhcnRBdD0zJmxpbWl0PTI` } },
      results: [{ contact_id: '21', email_address: 'abc@example.com', send_date: '2012-12-06T13:06:14.762Z' }, {}],
    });
  });

  test('serves both forms of cursors, and numeric ids if configured', async () => {
    const byTime = (await body(`${sends('5')}?limit=2`)) as {
      meta: { pagination: { next_link: string } };
      results: object[];
    };
    expect(cursorText(byTime.meta.pagination.next_link)).toMatch(/^limit=2&next=\d{13}$/);
    expect(byTime.results[0]).toMatchObject({ campaign_id: 5, contact_id: expect.any(Number) });
    const since = (await body(`${sends('6')}?limit=2&created_since=2025-01-01T00:00:00.000Z`)) as typeof byTime;
    expect(cursorText(since.meta.pagination.next_link)).toBe(
      'startAt=3&limit=2&created_since=2025-01-01T00:00:00.000Z',
    );
    expect(await body(`${sends('6')}?limit=5`)).toMatchObject({ meta: { pagination: {} } });
  });

  test('serves every form of cursor, and accepts one spelling of each', async () => {
    const cursorOf = async (more: object) => {
      sandbox.campaign({ id: '7', size: 5, newestMs: Date.parse('2026-01-01'), ...more });
      const page = (await body(`${sends('7')}?limit=2`)) as { meta: { pagination: { next_link: string } } };
      clock.forward(1.1);
      return page.meta.pagination.next_link.split('next=')[1] ?? '';
    };
    sandbox.campaign({ id: '1100394165289', size: 900, newestMs: Date.parse('2026-01-01'), cursors: 'long' });
    const long = (await body(sends('1100394165289'))) as { meta: { pagination: { next_link: string } } };
    const [, cursor = ''] = long.meta.pagination.next_link.split('?next=');
    expect(cursor).toMatch(/^[\w-]{184}$/);
    expect(Buffer.from(cursor, 'base64url').toString()).toMatch(/^limit=500&next=1100394165289%[0-9a-f-]{36}%[\w-]+$/);
    expect(await cursorOf({ cursors: 'opaque' })).toMatch(/^%2B%2F%25\w+%3D%3D$/);
    expect(await cursorOf({ cursors: 'opaque-form' })).toMatch(/^%2B%2F%25\+\w+%3D%3D$/);
    const raw = await cursorOf({ cursors: 'opaque-raw' });
    expect(raw).toMatch(/^\+\/%25\w+==$/);
    const next = (text: string) => get(`${sends('7')}?next=${text}`).then(({ status }) => status);
    expect(await next(raw)).toBe(200);
    expect(await next(encodeURIComponent(decodeURIComponent(raw)))).toBe(200);
    expect(await next(raw.replace('+', '%20'))).toBe(400);
    clock.forward(1.1);
    expect(await next(raw.replace('==', ''))).toBe(400);
  });

  test('refuses unknown parameters, in either version', async () => {
    expect((await get(`${sends('5')}?updateSummary=true`)).status).toBe(400);
    const accessToken = sandbox.oauth?.authorize().accessToken ?? '';
    const v3 = (search: string) =>
      fetch(`${sandbox.url}/v3/reports/email_reports/${activityIdOf('5')}/tracking/sends${search}`, {
        headers: { authorization: `Bearer ${accessToken}` },
      });
    expect((await v3('?created_since=2025-01-01')).status).toBe(400);
    expect((await v3('?limit=2&after_date=2025-01-01')).status).toBe(400);
    clock.forward(1.1);
    sandbox.campaign({ id: '5', size: 5, newestMs: Date.parse('2026-01-01'), design: 'page', links: 'absolute' });
    const page = (await (await v3('?limit=2')).json()) as { _links: { next: { href: string } } };
    expect(page._links.next.href).toMatch(
      /^https:\/\/api\.elsewhere\.example:8443\/v3\/.*\/sends\?limit=2&next=MQ\*\*#next=nothing$/,
    );
    // A page's number means nothing without the size of pages: here there is none behind 500 sends.
    const lost = (await (await v3('?next=MQ**')).json()) as { tracking_activities: object[] };
    expect(lost.tracking_activities).toEqual([]);
    expect((await v3('?limit=2&cursor=MQ**')).status).toBe(400);
  });

  test('counts sends as of its last scheduled update, unless the call asks for an update', async () => {
    const summary = (id: string, search = '') =>
      body(`/v2/emailmarketing/campaigns/${id}/tracking/reports/summary${search}`);
    sandbox.campaign({ id: '7', size: 20, newestMs: Date.parse('2026-01-01T00:00:05Z'), spacingMs: 1000 });
    expect(await summary('7')).toMatchObject({ sends: 15 });
    expect(await summary('7', '?updateSummary=true')).toMatchObject({ sends: 20 });
    expect(await summary('1100394165287')).toMatchObject({ sends: 0 });
    expect(await summary('7', '?limit=2')).toEqual([
      { error_key: 'query.param.invalid', error_message: expect.any(String) },
    ]);
  });

  test('refuses what Constant Contact refuses, with the same bodies', async () => {
    const told = async (answer: Response) => [
      answer.status,
      ((await answer.json()) as { error_key: string }[])[0]?.error_key,
    ];
    expect(await told(await get(sends('5'), { key: 'wrong' }))).toEqual([401, expect.any(String)]);
    expect(await told(await get(sends('5'), { token: 'wrong' }))).toEqual([401, expect.any(String)]);
    expect(await told(await get(sends('5'), { accept: 'text/html' }))).toEqual([406, expect.any(String)]);
    expect(await told(await get(sends('404')))).toEqual([404, expect.any(String)]);
    clock.forward(2);
    expect(await told(await get('/v2/elsewhere'))).toEqual([404, expect.any(String)]);
    expect(await told(await get(`${sends('5')}?limit=501`))).toEqual([400, expect.any(String)]);
    expect(await told(await get(`${sends('5')}?next=nonsense`))).toEqual([400, expect.any(String)]);
    clock.forward(2);
    for (const since of ['nonsense', 'Jan 1, 2026', '2026-01-01 10:00'])
      expect(await told(await get(`${sends('5')}?created_since=${since}`))).toEqual([400, expect.any(String)]);
  });

  test('serves the neutral call of each version to valid credentials', async () => {
    expect(await body('/v2/emailmarketing/campaigns?limit=1')).toMatchObject({
      meta: { pagination: { next_link: expect.stringMatching(/^\/v2\/emailmarketing\/campaigns\?next=/) } },
      results: [{ id: 5, name: expect.any(String), status: 'SENT', modified_date: expect.any(String) }],
    });
    const next = Buffer.from('pageNum=2&pageSize=2').toString('base64url');
    expect(await body(`/v2/emailmarketing/campaigns?next=${next}`)).toMatchObject({
      meta: { pagination: {} },
      results: [{ id: '1100394165287' }],
    });
    expect((await get('/v2/emailmarketing/campaigns?limit=51')).status).toBe(400);
    clock.forward(2);
    expect((await get('/v2/emailmarketing/campaigns?limit=1', { key: 'wrong' })).status).toBe(401);
    const accessToken = sandbox.oauth?.authorize().accessToken ?? '';
    const privileges = (token: string) =>
      fetch(`${sandbox.url}/v3/account/user/privileges`, { headers: { authorization: `Bearer ${token}` } });
    expect(await (await privileges(accessToken)).json()).toContainEqual({
      privilege_id: expect.any(Number),
      privilege_name: 'ui:campaign:metrics',
    });
    expect((await privileges('wrong')).status).toBe(401);
  });

  test('filters campaigns by status and modification date, as v2 documents', async () => {
    const newestMs = Date.parse('2026-02-01');
    sandbox.campaign({ id: '7', size: 1, newestMs, status: 'EXECUTING' });
    sandbox.campaign({ id: '8', size: 1, newestMs });
    const list = async (search: string) => {
      clock.forward(1.1);
      const answer = await get(`/v2/emailmarketing/campaigns?${search}`);
      if (!answer.ok) return answer.status;
      return ((await answer.json()) as { results: { id: string }[] }).results.map(({ id }) => id).join();
    };
    expect(await list('status=SENT')).toBe('8,5,6,1100394165287');
    expect(await list('status=RUNNING')).toBe('7');
    expect(await list('status=DELETED')).toBe('');
    expect(await list('status=ALL&modified_since=2026-01-15')).toBe('7,8');
    expect(await list('status=OTHER')).toBe(400);
    expect(await list('modified_since=soon')).toBe(400);
  });

  test('injects faults only into calls whose parameter contains a text', async () => {
    sandbox.fault({ kind: 'status', status: 500, query: { next: 'odd' } });
    expect((await get(`${sends('5')}?next=an-odd-one`)).status).toBe(500);
    expect((await get(`${sends('5')}?next=another`)).status).toBe(400);
    expect((await get(sends('5'))).status).toBe(200);
  });

  test('enforces the limits of an account, and counts the calls over them', async () => {
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await get(sends('5'))).status));
    expect(statuses.sort()).toEqual([200, 200, 200, 200, 403]);
    clock.forward(1.1);
    for (let n = 0; n < 7; n++) {
      await get(sends('5'));
      clock.forward(1.1);
    }
    const over = await get(sends('5'));
    expect(over.status).toBe(403);
    expect(await over.text()).toContain('mashery.not.authorized.over.ratelimit');
    expect(sandbox.limitAnswers).toBe(2);
    clock.forward(86_400);
    expect((await get(sends('5'))).status).toBe(200);
  });

  test('can be controlled from another process, and faults every n-th call', async () => {
    const order = (orders: object) =>
      fetch(`${sandbox.url}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });
    await order({
      campaign: { id: '9', size: 1, newestMs: 0 },
      fault: { kind: 'status', status: 500, every: 2, campaign: '9' },
    });
    await order({ add: { campaign: '9', count: 2 } });
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await get(sends('9'))).status);
    expect(statuses).toEqual([200, 500, 200, 500]);
    expect(await (await order({ heal: true })).json()).toEqual({ callCount: 4, tokenCallCount: 0, limitAnswers: 0 });
    expect(await (await order({ forget: true })).json()).toMatchObject({ callCount: 0 });
    clock.forward(2);
    expect(((await body(sends('9'))) as { results: object[] }).results).toHaveLength(3);
    expect(sandbox.calls[0]).toMatchObject({ path: sends('9'), query: { api_key: apiKey }, status: 200 });
  });
});

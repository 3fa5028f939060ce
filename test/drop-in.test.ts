/**
 * v2's own path, for programs that were written for it: with a real one of them, in front of either version.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { documentedCampaign } from '../src/sandbox/sandbox.ts';
import type { Send } from '../src/upstream/dialect.ts';
import { type Harness, type PageJson, start } from './support/harness.ts';

const require = createRequire(import.meta.url);
const resource = (id: string, search = '') => `/v2/emailmarketing/campaigns/${id}/tracking/sends${search}`;
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const theirs = { apiKey: 'callers-api-key-1', accessToken: 'callers-token-1' };

/** A cursor that looks like one of Sendgate's. */
const forged = (instant: string, cursor: string) => Buffer.from(`sendgate ${instant} ${cursor}`).toString('base64url');

/** The old client, with nothing but its base address changed. */
function oldClient(baseUrl: string) {
  const client = createRequire(require.resolve('node-constantcontact'));
  const providers = client('@purest/providers') as { constantcontact: Record<string, unknown> };
  providers.constantcontact = { [baseUrl]: Object.values(providers.constantcontact)[0] };
  const ConstantContact = require('node-constantcontact');
  return new ConstantContact(theirs);
}

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

  test('an old client reads a page, follows its link, and gets an error that it can read', async () => {
    const cc = oldClient(it.url);
    const first = (await cc.campaigns.tracking.sends({ id: documentedCampaign.id })) as PageJson;
    expect(first.results.map(({ email_address }) => email_address)).toEqual(['abc@example.com', 'def@example.com']);
    expect(first.results[0]?.campaign_id).toBe(documentedCampaign.id);
    const link = first.meta.pagination.next_link ?? '';
    const v3Query = Buffer.from('limit=2&next=c3RhcnRBdD0zJmxpbWl0PTI').toString('base64url');
    const cursor = version === 'v2' ? 'c3RhcnRBdD0zJmxpbWl0PTI' : v3Query;
    expect(link).toBe(`${resource(documentedCampaign.id)}?next=${cursor}`);

    const second = await new Promise<PageJson>((resolve, reject) => {
      cc.client()
        .get(link.replace('/v2/', ''))
        .options({ version: 'v2' })
        .request((error: unknown, _: unknown, body: PageJson) => (error ? reject(error) : resolve(body)));
    });
    expect(second.results).toHaveLength(1);
    expect(second.meta).toEqual({ pagination: {} });

    const refused = await cc.campaigns.tracking.sends({ id: '404' }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ status: 404, body: [{ error_key: 'http.status.not_found' }] });

    const sentUp = JSON.stringify(it.sandbox.calls.map(({ path, query, headers }) => ({ path, query, headers })));
    for (const secret of Object.values(theirs)) {
      expect(sentUp).not.toContain(secret);
      expect(it.lines.join('')).not.toContain(secret);
    }
  });

  test('a walk from an instant goes on by the cursor alone, as it did', async () => {
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

  test('pages are those of the other path: no call is made for them', async () => {
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
    ['?client_secret=x', 400, 'query.param.invalid'],
  ])('%s is %d, in an array', async (search, status, error_key) => {
    const answer = await call(resource('5', search));
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual([{ error_key, error_message: expect.any(String) }]);
  });

  test('the guard and the methods are the same', async () => {
    expect((await call(resource('5'), { origin: 'https://evil.example' })).status).toBe(403);
    expect((await fetch(`${it.url}${resource('5')}`, { method: 'POST' })).status).toBe(405);
    expect((await fetch(`${it.url}${resource('5')}`, { method: 'HEAD' })).status).toBe(200);
    expect((await call(resource('5'), { accept: 'text/xml' })).status).toBe(406);
  });

  test('an error of the upstream keeps its status', async () => {
    it.sandbox.fault({ kind: 'status', status: 400, campaign: '6' });
    it.sandbox.campaign({ id: '6', size: 1, newestMs });
    const answer = await call(resource('6'));
    expect(answer.status).toBe(502);
    expect(await answer.json()).toEqual([{ error_key: 'sendgate.upstream-failed', error_message: expect.any(String) }]);
  });
});

test('a token that would be a team’s is thrown away there, and counts elsewhere', async () => {
  const token = 'team-token-1';
  const digest = createHash('sha256').update(token).digest('hex');
  const it = await start({
    SENDGATE_SERVER_DROP_IN_V2: 'true',
    SENDGATE_TEAMS: JSON.stringify([{ name: 'web', tokensSha256: [digest] }]),
    SENDGATE_CALLERS_REQUIRED: 'true',
  });
  try {
    it.sandbox.campaign({ id: '5', size: 1, newestMs });
    expect((await it.get('/campaigns/5/sends', { authorization: `Bearer ${token}` })).status).toBe(200);
    const answer = await it.get(resource('5'), { authorization: `Bearer ${token}` });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual([
      { error_key: 'http.status.authentication.invalid_token', error_message: expect.any(String) },
    ]);
  } finally {
    await it.close();
  }
});

test('it is served only where it is asked for, and under the base path', async () => {
  const off = await start();
  const on = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true', SENDGATE_SERVER_BASE_PATH: '/ctct' });
  try {
    const answer = await off.get(resource('5'));
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    on.sandbox.campaign(documentedCampaign);
    const { meta } = await on.page(`/ctct${resource(documentedCampaign.id)}`);
    // A client puts its base address in front of the link, so the prefix is not in it twice.
    expect(meta.pagination.next_link).toMatch(/^\/v2\//);
  } finally {
    await off.close();
    await on.close();
  }
});

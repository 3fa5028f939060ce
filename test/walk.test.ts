import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Send } from '../src/model/sends.ts';
import type { CampaignOptions } from '../src/sandbox/campaign.ts';
import { documentedCampaign } from '../src/sandbox/sandbox.ts';
import { contactIdOf } from '../src/sandbox/v3.ts';
import { api, apiKey, type Harness, idOf, type PageJson, start, targetOf } from './support/harness.ts';

const size = 3_345;
const newestMs = Date.parse('2026-01-01T12:00:00Z');
const campaigns = [
  { id: '501', cursors: 'offset' as const },
  { id: '502', cursors: 'time' as const, numericIds: true },
];

const base64Url = (text: string) => Buffer.from(text).toString('base64url');
const upstreamPath = (id: string) =>
  api === 'v2'
    ? `/v2/emailmarketing/campaigns/${id}/tracking/sends`
    : `/v3/reports/email_reports/${idOf(id)}/tracking/sends`;

let it: Harness;

beforeAll(async () => {
  it = await start({ SENDGATE_SERVER_BASE_PATH: '/ctct' });
  it.sandbox.campaign(documentedCampaign);
  for (const campaign of campaigns) it.sandbox.campaign({ ...campaign, size, newestMs, spacingMs: 1000 });
});
afterAll(() => it.close());

const follow = {
  next_link: (_: Response, body: PageJson) => body.meta.pagination.next_link,
  Link: (answer: Response) => /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1],
};

async function walk(path: string, by: keyof typeof follow) {
  const sends: Send[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const answer: Response = await it.get(next);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as PageJson;
    sends.push(...body.results);
    next = follow[by](answer, body);
    if (next !== undefined) expect(next).toMatch(new RegExp(`^${path.split('?')[0]}\\?`));
  }
  return sends;
}

test("the vendor's documented example is served with its link rewritten", async () => {
  const campaign_id = idOf('1100394165287');
  const contact = (id: string) => (api === 'v3' ? contactIdOf(id) : id);
  const expected = {
    meta: {
      pagination: {
        next_link: `/ctct/campaigns/${campaign_id}/sends?next=${api === 'v3' ? base64Url('limit=2&next=c3RhcnRBdD0zJmxpbWl0PTI') : 'c3RhcnRBdD0zJmxpbWl0PTI'}`,
      },
    },
    results: [
      {
        activity_type: 'EMAIL_SEND',
        campaign_id,
        contact_id: contact('21'),
        email_address: 'abc@example.com',
        send_date: '2012-12-06T13:06:14.762Z',
      },
      {
        activity_type: 'EMAIL_SEND',
        campaign_id,
        contact_id: contact('19'),
        email_address: 'def@example.com',
        send_date: '2012-12-06T13:06:14.653Z',
      },
    ],
  };
  const answer = await it.get('/ctct/campaigns/1100394165287/sends');
  expect(await answer.json()).toEqual(expected);
  expect(answer.headers.get('link')).toBe(`<${expected.meta.pagination.next_link}>; rel="next"`);
  expect(answer.headers.get('last-modified')).toBe('Thu, 06 Dec 2012 13:06:14 GMT');

  const last = await it.get(expected.meta.pagination.next_link);
  const body = (await last.json()) as PageJson;
  expect(body.meta).toEqual({ pagination: {} });
  expect(body.results).toHaveLength(1);
  expect(last.headers.get('link')).toBeNull();
});

describe.each(campaigns)('a walk over $cursors cursors', ({ id }) => {
  const midway = new Date(newestMs - 1_600_000).toISOString();

  test.each([
    ['from the start', '', 'next_link'],
    ['since an instant', `?created_since=${midway}`, 'Link'],
    ['since an instant in another spelling', `?created_since=${midway.replace('Z', '+00:00')}`, 'next_link'],
  ] as const)('%s yields each send once, newest first', async (_, search, by) => {
    const sends = await walk(targetOf(`/ctct/campaigns/${id}/sends${search}`), by);
    const dates = sends.map(({ send_date }) => send_date);
    const expected =
      search === ''
        ? size
        : it.sandbox
            .campaign({ ...campaigns.find((c) => c.id === id), id, size, newestMs, spacingMs: 1000 })
            .countSince(Date.parse(midway));
    expect(sends).toHaveLength(expected);
    expect(new Set(sends.map(({ contact_id }) => contact_id)).size).toBe(expected);
    expect(dates).toEqual([...dates].sort().reverse());
    expect(
      sends.every(({ campaign_id, contact_id }) => campaign_id === idOf(id) && typeof contact_id === 'string'),
    ).toBe(true);
    if (search !== '') expect((dates.at(-1) ?? '') >= midway).toBe(true);
  });

  test('makes no call the second time, by either link', async () => {
    const before = it.sandbox.callCount;
    const byLink = await walk(targetOf(`/ctct/campaigns/${id}/sends?limit=500`), 'Link');
    const byBody = await walk(targetOf(`/ctct/campaigns/${id}/sends`), 'next_link');
    expect(byLink).toEqual(byBody);
    expect(byLink).toHaveLength(size);
    expect(it.sandbox.callCount).toBe(before);
  });

  test('forwards the cursor, with the key or the limit', async () => {
    const followed = it.sandbox.calls.filter(({ path, query }) => path.includes(`/${idOf(id)}/`) && 'next' in query);
    expect(followed.length).toBeGreaterThan(5);
    for (const { query } of followed)
      expect(Object.keys(query).sort()).toEqual(api === 'v3' ? ['limit', 'next'] : ['api_key', 'next']);
  });
});

type Design = Pick<
  CampaignOptions,
  'cursors' | 'links' | 'design' | 'lastPage' | 'linkExtra' | 'linkFilter' | 'zoneless'
>;

/** Walks over each form of cursors, links and last pages; with v3 each design too. */
const designs: readonly Design[] =
  api === 'v2'
    ? [
        { cursors: 'offset', links: 'other-path', lastPage: 'empty' },
        { cursors: 'time', links: 'absolute', lastPage: 'null' },
        { cursors: 'long', links: 'relative', lastPage: 'null-link' },
        { cursors: 'opaque', links: 'query', lastPage: 'empty-link' },
        { cursors: 'opaque-raw', links: 'relative', lastPage: 'missing' },
        { cursors: 'opaque-form', links: 'absolute', zoneless: true },
      ]
    : [
        { design: 'next', cursors: 'offset', links: 'relative' },
        { design: 'next', cursors: 'long', links: 'absolute', lastPage: 'null' },
        { design: 'next', cursors: 'opaque-raw', links: 'query', linkExtra: 'trace=1' },
        { design: 'next', cursors: 'opaque-form', links: 'other-path', lastPage: 'empty' },
        { design: 'cursor', cursors: 'offset', links: 'relative', lastPage: 'null-link' },
        { design: 'cursor', cursors: 'time', links: 'absolute' },
        { design: 'cursor', cursors: 'opaque', links: 'relative' },
        { design: 'page', links: 'relative', lastPage: 'empty-link' },
        { design: 'page', links: 'absolute', linkExtra: 'created_since=2020-01-01', zoneless: true },
        { design: 'page', links: 'query', lastPage: 'null' },
        { design: 'page', links: 'absolute', linkFilter: 'after_date=2020-01-01T00:00:00Z' },
      ];

describe.each(designs.map((design, at) => ({ design, at, name: JSON.stringify(design) })))(
  'with links such as $name, a walk of 334 sends',
  ({ design, at }) => {
    const begin = (id: string, more: Partial<CampaignOptions> = {}) => {
      const options = { id, size: 334, newestMs, spacingMs: 1000, ...design, ...more };
      const campaign = it.sandbox.campaign(options);
      it.sandbox.forget();
      return Array.from({ length: 334 }, (_, index) => {
        const { contactId, atMs } = campaign.at(index);
        return `${api === 'v3' ? contactIdOf(contactId) : contactId} ${new Date(atMs).toISOString()}`;
      });
    };
    const told = (sends: readonly Send[]) => sends.map(({ contact_id, send_date }) => `${contact_id} ${send_date}`);

    /** The calls upstream: to the usual path, with only the parameters of a page. */
    const checkCalls = (id: string, pages: number, limit: string) => {
      const { calls } = it.sandbox;
      const later = calls.filter(({ query }) => 'next' in query || 'cursor' in query);
      expect(calls.map(({ status }) => status)).toEqual(Array(pages).fill(200));
      expect(later).toHaveLength(pages - 1);
      for (const { path } of calls) expect(path).toBe(upstreamPath(id));
      for (const { query } of later) {
        const { api_key, ...rest } = query;
        expect(api_key).toBe(api === 'v2' ? apiKey : undefined);
        if (api === 'v2') expect(Object.keys(rest)).toEqual(['next']);
        else if (design.design === 'cursor') expect(Object.keys(rest)).toEqual(['cursor']);
        else {
          const filter = Object.fromEntries(new URLSearchParams(design.linkFilter));
          expect(rest).toEqual({ limit, next: expect.any(String), ...filter });
        }
      }
    };

    test.each([
      [7, 'next_link', 48],
      [150, 'Link', 3],
    ] as const)('at limit %i by %s yields each once, in order', async (limit, by, pages) => {
      const id = `6${at}${limit}${by.length}`;
      const expected = begin(id);
      const sends = await walk(targetOf(`/ctct/campaigns/${id}/sends?limit=${limit}`), by);
      expect(told(sends)).toEqual(expected);
      checkCalls(id, pages, String(limit));
    });

    test.each([
      [7, 48],
      [150, 3],
    ] as const)('as an export of pages of %i yields each once, in order', async (pageSize, pages) => {
      const id = `7${at}${pageSize}`;
      const expected = begin(id, { pageSize });
      const answer = await it.get(`/ctct/campaigns/${id}/sends.ndjson`);
      const lines = (await answer.text()).trimEnd().split('\n');
      expect(told(lines.map((line) => JSON.parse(line) as Send))).toEqual(expected);
      checkCalls(id, pages, String(pageSize));
    });
  },
);

describe.each(['oldest-first', 'nearly'] as const)('of a report in another order, %s', (order) => {
  const size = 1_234;
  const begin = (id: string) => it.sandbox.campaign({ id, size, newestMs, spacingMs: 1000, order });

  test.each(['', `?created_since=${new Date(newestMs - 300_000).toISOString()}`])(
    'a walk and an export yield each send once: %j',
    async (search) => {
      const id = `8${order.length}`;
      const campaign = begin(id);
      const expected = search === '' ? size : campaign.countSince(newestMs - 300_000);
      const sends = await walk(targetOf(`/ctct/campaigns/${id}/sends${search}`), 'Link');
      expect(new Set(sends.map(({ contact_id }) => contact_id)).size).toBe(expected);
      expect(sends).toHaveLength(expected);
      const lines = (await (await it.get(`/ctct/campaigns/${id}/sends.ndjson${search}`)).text()).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as Send)).toEqual(sends);
    },
  );

  test('Last-Modified is the date of the newest send, at any position on the page', async () => {
    const id = `8${order.length}1`;
    const campaign = begin(id);
    const answer = await it.get(`/ctct/campaigns/${id}/sends`);
    const newest = campaign.at(order === 'nearly' ? 0 : size - 500).atMs;
    expect(answer.headers.get('last-modified')).toBe(new Date(newest).toUTCString());
  });
});

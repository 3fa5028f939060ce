import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { queryOfCursor } from '../src/model/cursor.ts';
import { pageBehind } from '../src/model/page-query.ts';
import { allReports } from '../src/model/reports.ts';
import { sendsReport } from '../src/model/sends.ts';
import { nextLink } from '../src/reports/links.ts';
import { parseV2Page } from '../src/upstream/v2-page.ts';
import { parseV3Page } from '../src/upstream/v3-page.ts';
import { api, idOf } from './support/harness.ts';
import { nextPage } from './support/queries.ts';

const campaign = idOf('1100394165287');
const send = {
  activity_type: 'EMAIL_SEND',
  campaign_id: api === 'v2' ? 1100394165287 : campaign,
  contact_id: api === 'v2' ? 21 : '21',
  email_address: 'abc@example.com',
  send_date: '2012-12-06T13:06:14.762Z',
  undocumented: 'field',
};

interface Meta {
  readonly pagination?: { readonly next_link?: unknown } | '' | readonly never[] | null;
}

/** A page with these links and sends, as the upstream version writes it. */
function page(
  meta: Meta | '' | null | undefined,
  results: readonly Partial<Record<keyof typeof send, unknown>>[] = [],
) {
  if (api === 'v2') return parseV2Page(sendsReport.v2.fields, JSON.stringify({ meta, results }), campaign);
  const isObject = <T>(value: T): value is Exclude<T, '' | null | undefined | readonly never[]> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const pagination = isObject(meta) ? meta.pagination : undefined;
  const next = isObject(pagination) ? { href: pagination.next_link } : pagination;
  const tracking_activities = results.map(({ activity_type: _, campaign_id: __, send_date, ...rest }) => ({
    ...rest,
    tracking_activity_type: 'em_sends',
    created_time: send_date,
  }));
  return parseV3Page(
    'tracking_activities',
    sendsReport.v3.fields,
    JSON.stringify({ tracking_activities, _links: isObject(meta) ? { next } : meta }),
    campaign,
  );
}
const parse = (body: string) =>
  api === 'v2'
    ? parseV2Page(sendsReport.v2.fields, body, campaign)
    : parseV3Page('tracking_activities', sendsReport.v3.fields, body, campaign);
const linked = (next_link: unknown) => page({ pagination: { next_link } });

describe('a link', () => {
  test("is Sendgate's own path with the cursor", () => {
    expect(nextLink('', nextPage(campaign, 'c3RhcnRBdD0zJmxpbWl0PTI'))).toBe(
      `/campaigns/${campaign}/sends?next=c3RhcnRBdD0zJmxpbWl0PTI`,
    );
  });

  test('includes the base path and created_since', () => {
    expect(nextLink('/ctct', nextPage(campaign, 'a+b', { since: '2012-12-06T00:00:00.000Z' }))).toBe(
      `/ctct/campaigns/${campaign}/sends?created_since=2012-12-06T00:00:00.000Z&next=a%2Bb`,
    );
  });

  test.each(allReports.map(({ name, filter }) => [name, filter?.name] as const))(
    'of %s has the instant, the filter and the cursor in this order',
    (resource, filterName) => {
      const step = { resource, campaign, since: '2012-12-06T00:00:00.000Z', ...(filterName && { filter: '7' }) };
      const selected = filterName === undefined ? '' : `${filterName}=7&`;
      expect(nextLink('/ctct', pageBehind(step, 'a+b'))).toBe(
        `/ctct/campaigns/${campaign}/${resource}?created_since=2012-12-06T00:00:00.000Z&${selected}next=a%2Bb`,
      );
    },
  );

  test('never leads to another host or path, for any cursor', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 }), (cursor) => {
        const link = nextLink('/base', nextPage(campaign, cursor, { since: '2012-12-06T00:00:00.000Z' }));
        const url = new URL(link, 'http://here.example');
        expect(url.origin).toBe('http://here.example');
        expect(url.pathname).toBe(`/base/campaigns/${campaign}/sends`);
        expect([...url.searchParams.keys()]).toEqual(['created_since', 'next']);
        expect(url.searchParams.get('next')).toBe(cursor);
        expect(link).not.toMatch(/[<>"\s#]/);
      }),
    );
  });
});

/** The cursor that callers see: v2's unchanged, v3's encoded query. */
const seen = (cursor: string, query: string) => (api === 'v2' ? cursor : Buffer.from(query).toString('base64url'));

describe("Constant Contact's link", () => {
  test.each([
    ['/v2/emailmarketing/campaigns/1/tracking/sends?next=c3RhcnRBdD0z', 'c3RhcnRBdD0z', 'next=c3RhcnRBdD0z'],
    ['/v2/emailcampaigns/1/tracking/sends?next=bGltaXQ9MyZuZXh0PTE', 'bGltaXQ9MyZuZXh0PTE', 'next=bGltaXQ9MyZuZXh0PTE'],
    ['https://evil.example/?next=abc&api_key=stolen', 'abc', 'next=abc'],
    ['https://evil.example:8443?api_key=stolen&next=abc', 'abc', 'next=abc'],
    ['//evil.example/?next=abc', 'abc', 'next=abc'],
    ['?limit=5&next=a%2Bb#next=no', 'a+b', 'limit=5&next=a%2Bb'],
    ['/path?next=abc#?next=no&limit=7', 'abc', 'next=abc'],
    ['?next=a%252Bb', 'a%2Bb', 'next=a%252Bb'],
    ['?next=a/b=%3D%25', 'a/b==%', 'next=a/b=%3D%25'],
    ['?next=a%b', 'a%b', 'next=a%b'],
    ['?&next=abc&', 'abc', 'next=abc'],
    ['next=bare', 'bare', 'next=bare'],
  ])('%s yields its cursor, and neither host nor path', (link, cursor, query) => {
    expect(linked(link).cursor).toBe(seen(cursor, query));
  });

  test.each<[string, Meta | '' | null | undefined]>([
    ['an empty pagination', { pagination: {} }],
    ['null', { pagination: { next_link: null } }],
    ['an empty string', { pagination: { next_link: '' } }],
    ['no pagination', {}],
    ['a pagination of null', { pagination: null }],
    ['no meta', undefined],
    ['a meta of null', null],
    ['a pagination of nothing', { pagination: '' }],
    ['an empty list', { pagination: [] }],
    ['a meta of nothing', ''],
  ])('ends the walk if it is %s', (_, meta) => {
    expect(page(meta).cursor).toBeUndefined();
  });

  test.each(['/next?next=abc', 7, true, ['/next?next=abc']])('of another type is refused: %j', (odd) => {
    for (const meta of [odd, { pagination: odd }, { pagination: { next_link: [odd] } }] as unknown as Meta[]) {
      expect(() => page(meta)).toThrow(expect.objectContaining({ code: 'upstream-failed', reason: 'schema' }));
    }
  });

  test.each([
    '/v2/path',
    '/v2/path#next=abc',
    '/v2/path#?next=abc',
    'https://api.example',
    '/v2/path?start=abc',
    '?next=',
    '?next',
    '?next=a&next=a',
    `?next=${'x'.repeat(3000)}`,
    '?next=%00',
    '?next=%0D%0AX: y',
    '?next=%C3%A9',
    '?next=\u00e9',
    '?next=\ud800',
  ])('without a usable cursor rejects the page: %.30j', (link) => {
    expect(() => linked(link)).toThrow(expect.objectContaining({ code: 'upstream-failed', reason: 'schema' }));
  });

  test('with a raw plus is followed unchanged', () => {
    const { cursor = '' } = linked('?next=a+b%2Bc');
    const up = api === 'v2' ? new URLSearchParams({ next: cursor }).toString() : queryOfCursor(cursor);
    expect(up).toBe('next=a+b%2Bc');
  });
});

describe("a page of Constant Contact's", () => {
  test('becomes the five documented fields, ids as strings', () => {
    expect(page({}, [send]).rows).toEqual([
      {
        activity_type: 'EMAIL_SEND',
        campaign_id: campaign,
        contact_id: '21',
        email_address: 'abc@example.com',
        send_date: '2012-12-06T13:06:14.762Z',
      },
    ]);
  });

  test.each(['', '{', '[]', 'null', '"x"', '{"results":{}}', '<html>'])('is refused if it is %j', (body) => {
    expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'upstream-failed' }));
  });
});

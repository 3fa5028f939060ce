import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextLink } from '../src/sends/links.ts';
import { parseV2Page } from '../src/upstream/v2.ts';

const campaign = '1100394165287';
const send = {
  activity_type: 'EMAIL_SEND',
  campaign_id: 1100394165287,
  contact_id: 21,
  email_address: 'abc@example.com',
  send_date: '2012-12-06T13:06:14.762Z',
  undocumented: 'field',
};
const page = (meta: unknown, results: unknown = []) => parseV2Page(JSON.stringify({ meta, results }));
const linked = (next_link: unknown) => page({ pagination: { next_link } });

describe('a link', () => {
  test('is a path of ours with the cursor', () => {
    expect(nextLink('', { campaign, cursor: 'c3RhcnRBdD0zJmxpbWl0PTI' })).toBe(
      '/campaigns/1100394165287/sends?next=c3RhcnRBdD0zJmxpbWl0PTI',
    );
  });

  test('carries the base path, and the instant with which the walk began', () => {
    expect(nextLink('/ctct', { campaign, createdSince: '2012-12-06T00:00:00.000Z', cursor: 'a+b' })).toBe(
      '/ctct/campaigns/1100394165287/sends?created_since=2012-12-06T00:00:00.000Z&next=a%2Bb',
    );
  });

  test('never leads to another host or path, whatever the cursor is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 }), (cursor) => {
        const link = nextLink('/base', { campaign, createdSince: '2012-12-06T00:00:00.000Z', cursor });
        const url = new URL(link, 'http://here.example');
        expect(url.origin).toBe('http://here.example');
        expect(url.pathname).toBe('/base/campaigns/1100394165287/sends');
        expect([...url.searchParams.keys()]).toEqual(['created_since', 'next']);
        expect(url.searchParams.get('next')).toBe(cursor);
        expect(link).not.toMatch(/[<>"\s#]/);
      }),
    );
  });
});

describe("Constant Contact's next_link", () => {
  test.each([
    [
      '/v2/emailmarketing/campaigns/1100394165287/tracking/sends?next=c3RhcnRBdD0zJmxpbWl0PTI',
      'c3RhcnRBdD0zJmxpbWl0PTI',
    ],
    [
      '/v2/emailcampaigns/1/tracking/sends?next=bGltaXQ9MyZuZXh0PTEzNTQ4MTcyMTA0MzA',
      'bGltaXQ9MyZuZXh0PTEzNTQ4MTcyMTA0MzA',
    ],
    ['https://evil.example/?next=abc&api_key=stolen', 'abc'],
    ['?limit=5&next=a%2Bb#next=no', 'a+b'],
    ['next=bare', 'bare'],
  ])('%s gives its cursor and nothing else', (link, cursor) => {
    expect(linked(link).cursor).toBe(cursor);
  });

  test.each([
    ['an empty pagination', { pagination: {} }],
    ['null', { pagination: { next_link: null } }],
    ['an empty string', { pagination: { next_link: '' } }],
    ['no pagination', {}],
    ['a pagination of null', { pagination: null }],
    ['no meta', undefined],
    ['a meta of null', null],
  ])('ends the walk when it is %s', (_, meta) => {
    expect(page(meta).cursor).toBeUndefined();
  });

  test.each(['/v2/path', '/v2/path?cursor=abc', '?next=', `?next=${'x'.repeat(3000)}`, '?next=%00'])(
    'without a usable cursor makes the page unusable: %.20s',
    (link) => {
      expect(() => linked(link)).toThrow(expect.objectContaining({ code: 'upstream-failed', reason: 'schema' }));
    },
  );
});

describe("a page of Constant Contact's", () => {
  test('becomes the five documented fields, ids as strings', () => {
    expect(page({}, [send]).sends).toEqual([
      {
        activity_type: 'EMAIL_SEND',
        campaign_id: '1100394165287',
        contact_id: '21',
        email_address: 'abc@example.com',
        send_date: '2012-12-06T13:06:14.762Z',
      },
    ]);
  });

  test.each([
    ['a number too large to be exact', { ...send, contact_id: 2 ** 60 }],
    ['a missing address', { ...send, email_address: undefined }],
    ['an id of null', { ...send, contact_id: null }],
  ])('is refused for %s', (_, bad) => {
    expect(() => page({}, [bad])).toThrow(expect.objectContaining({ code: 'upstream-failed', reason: 'schema' }));
  });

  test.each(['', '{', '[]', 'null', '"x"', '{"results":{}}', '<html>'])('is refused when it is %j', (body) => {
    expect(() => parseV2Page(body)).toThrow(expect.objectContaining({ code: 'upstream-failed' }));
  });
});

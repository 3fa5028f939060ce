/**
 * v3's cursors: made from Constant Contact's links, and caller input when they come back.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cursorOfHref, cursorRules, queryOfCursor } from '../src/model/cursor.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { accessToken, type Harness, start } from './support/harness.ts';

const encode = (query: string) => Buffer.from(query).toString('base64url');
const values = (query: string) => [...new URLSearchParams(query)];
const allowed = ['cursor', 'next', 'limit', 'url_id', 'after_date', 'before_date'];

/** Decoded values of a parameter. */
const printable = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
const value = (name: string): fc.Arbitrary<string> => {
  if (name === 'limit') return fc.integer({ min: 1, max: 500 }).map(String);
  if (name === 'url_id') return fc.stringMatching(/^\d{1,20}$/);
  return name.endsWith('_date') ? fc.string({ unit: 'grapheme-ascii', maxLength: 20 }) : printable;
};
/** Parameters of a valid link, in any order. */
const parameters = fc
  .shuffledSubarray(allowed, { minLength: 1 })
  .filter((names) => names.includes('cursor') || names.includes('next'))
  .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), value(name)))));
/** As libraries spell a query: forms, and URLs. */
const spelled = fc
  .tuple(parameters, fc.boolean())
  .map(([pairs, isForm]) =>
    isForm ? new URLSearchParams(pairs).toString() : pairs.map(([n, v]) => `${n}=${encodeURIComponent(v)}`).join('&'),
  );
const extra = fc.tuple(
  fc.stringMatching(/^[a-z_%+.;[\]-]{1,12}$/).filter((name) => !allowed.includes(name)),
  printable.map(encodeURIComponent),
);

describe('a link of v3', () => {
  test('yields the same query again, verbatim', () => {
    fc.assert(
      fc.property(spelled, fc.webUrl(), (query, url) => {
        const next = cursorOfHref(`${new URL(url).origin}/any/path?${query}#fragment`);
        expect(next?.isOdd).toBe(false);
        expect(queryOfCursor(next?.cursor ?? '')).toBe(query);
        expect(next?.cursor).toBe(encode(query));
      }),
    );
  });

  test('loses parameters that are not listed, at any position', () => {
    fc.assert(
      fc.property(spelled, fc.array(extra, { minLength: 1, maxLength: 3 }), fc.nat(), (query, extras, seed) => {
        const pairs = query.split('&');
        for (const [n, [name, text]] of extras.entries()) pairs.splice((seed + n) % pairs.length, 0, `${name}=${text}`);
        const next = cursorOfHref(`?${pairs.join('&')}`);
        expect(next?.isOdd).toBe(true);
        expect(queryOfCursor(next?.cursor ?? '')).toBe(query);
      }),
    );
  });

  test.each([
    'limit=1&next=MQ**',
    'limit=500&next=MQ**&after_date=2026-01-01T00:00:00Z&before_date=',
    'cursor=bGltaXQ9MSZuZXh0PTI%3D',
    'cursor=bGltaXQ9MSZuZXh0PTI=',
    'next=a+b%20c%2Bd',
    'next=%',
    "next=~!$'()*,:@/?",
    `cursor=${'x'.repeat(1529)}`,
  ])('is replayed unchanged: %.80s', (query) => {
    const next = cursorOfHref(`/v3/path?${query}`);
    expect(next?.cursor.length).toBeLessThanOrEqual(2048);
    expect(queryOfCursor(next?.cursor ?? '')).toBe(query);
  });

  test('with unencoded characters means the same when encoded', () => {
    const next = cursorOfHref('?limit=5&next=a"b<c>|d;e\\f^g`h{i} j');
    expect(values(queryOfCursor(next?.cursor ?? '') ?? '')).toEqual([
      ['limit', '5'],
      ['next', 'a"b<c>|d;e\\f^g`h{i} j'],
    ]);
  });

  test.each([
    'limit=5',
    'next=',
    'next=a&next=b',
    'next=a&limit=5&limit=5',
    'next=a&limit=501',
    'next=a&limit=0',
    'next=a&limit=05',
    'next=a&limit=5e1',
    'next=a&limit=',
    'next=a&url_id=x',
    'next=%E2%82%AC',
    'next=\u20ac',
    'next=\ud800',
    'next=a\r\nb',
    'n%65xt=a',
    'Next=a',
    `next=${'x'.repeat(1532)}`,
    `next=a&after_date=${'1'.repeat(65)}`,
  ])('cannot be followed: %.60j', (query) => {
    expect(cursorOfHref(`/v3/path?${query}`)).toBeUndefined();
  });
});

/** Hostile cursors, each with its flaw. */
const hostile: readonly (readonly [what: string, cursor: string])[] = [
  ['another parameter', encode('next=a&created_since=2020-01-01')],
  ['a credential', encode('next=a&api_key=x')],
  ['a token', encode(`access_token=${accessToken}&next=a`)],
  ['a limit over 500', encode('limit=501&next=a')],
  ['a limit of nothing', encode('limit=0&next=a')],
  ['a limit that is none', encode('limit=1e2&next=a')],
  ['a limit with a sign', encode('limit=%2B5&next=a')],
  ['a repeated parameter', encode('next=a&next=b')],
  ['a repeated limit', encode('limit=5&next=a&limit=500')],
  ['no cursor', encode('limit=5')],
  ['an empty cursor', encode('next=')],
  ['nothing', encode('&')],
  ['an empty parameter beside it', encode('next=a&')],
  ['a leading question mark', encode('?next=a')],
  ['a host', encode('https://evil.example/?next=a')],
  ['a host without a scheme', encode('//evil.example/?next=a')],
  ['a host behind an @', encode('@evil.example/?next=a')],
  ['a path', encode('/../../account?next=a')],
  ['a fragment', encode('next=a#b')],
  ['another separator', encode('next=a;limit=501')],
  ['an encoded name', encode('n%65xt=a')],
  ['a name in capitals', encode('Next=a')],
  ['a list', encode('next[]=a')],
  ['a name of every object', encode('__proto__=a&next=b')],
  ['the end of a line', encode('next=a\r\nHost: evil.example')],
  ['an encoded end of a line', encode('next=a%0D%0AHost:%20evil.example')],
  ['a space', encode('next=a b')],
  ['a zero byte', encode('next=a\0')],
  ['another alphabet', encode('next=\u20ac')],
  ['another alphabet, encoded', encode('next=%E2%82%AC')],
  ['bytes that are no text', Buffer.from([0x6e, 0x65, 0x78, 0x74, 0x3d, 0xff, 0xfe]).toString('base64url')],
  ['an id of letters', encode('next=a&url_id=abc')],
  ['an id that is too long', encode(`next=a&url_id=${'1'.repeat(21)}`)],
  ['a date that is too long', encode(`next=a&after_date=${'1'.repeat(65)}`)],
  ['an old cursor of an offset', encode('startAt=3&limit=2')],
  ['an old cursor of a page', 'MQ**'],
  ['no base64', 'a"b<c>'],
  ['padding', `${encode('next=ab')}=`],
  ['standard base64', Buffer.from('next=>>>???').toString('base64')],
  ['bits that mean nothing', encode('next=ab').replace(/g$/, 'h')],
  ['a character too many', `${encode('next=abc')}A`],
  ['a space in front', ` ${encode('next=abc')}`],
  ['itself once more', encode(encode('next=abc'))],
];

describe('a cursor of a caller', () => {
  let it: Harness;
  const path = `/campaigns/${activityIdOf('1')}/sends`;
  beforeAll(async () => {
    it = await start({ SENDGATE_SERVER_DROP_IN_V2: 'true' }, {}, 'v3');
    it.sandbox.campaign({ id: '1', size: 9, newestMs: Date.parse('2026-01-01') });
  });
  beforeEach(() => it.sandbox.forget());
  afterAll(() => it.close());

  test.each(hostile)('is refused for %s, without a call and without a cache entry', async (_, cursor) => {
    const { pages } = it.service;
    const before = pages.count;
    const answer = await it.get(`${path}?next=${encodeURIComponent(cursor)}`);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      type: '/problems/invalid-cursor',
      detail: expect.stringContaining('Start again without `next`'),
    });
    expect(it.sandbox.callCount).toBe(0);
    expect(pages.count).toBe(before);
  });

  test('is refused on the v2 path too, as a v2 error', async () => {
    for (const [, cursor] of hostile) {
      const search = `?next=${encodeURIComponent(cursor)}`;
      const answer = await fetch(`${it.url}/v2/emailmarketing/campaigns/${activityIdOf('1')}/tracking/sends${search}`);
      expect([answer.status, await answer.json()]).toEqual([
        400,
        [expect.objectContaining({ error_key: 'query.param.invalid' })],
      ]);
    }
    expect(it.sandbox.callCount).toBe(0);
  });

  test('from a valid link is sent upstream unchanged, to the usual path', async () => {
    const query = 'limit=5&next=MQ**%20%2B+x&after_date=2026-01-01T00:00:00Z';
    expect((await it.get(`${path}?next=${encode(query)}`)).status).toBe(400); // Not made by the sandbox.
    const [call] = it.sandbox.calls;
    expect(call?.path).toBe(`/v3/reports/email_reports/${activityIdOf('1')}/tracking/sends`);
    expect(call?.query).toEqual({ limit: '5', next: 'MQ** + x', after_date: '2026-01-01T00:00:00Z' });
  });

  test('never sends unlisted parameters upstream, for any input', () => {
    const query = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc
        .array(fc.tuple(fc.constantFrom(...allowed, 'api_key', 'created_since', ''), printable), { maxLength: 4 })
        .map((pairs) => pairs.map(([name, text]) => `${name}=${text}`).join('&')),
      spelled,
    );
    fc.assert(
      fc.property(query, (text) => {
        const up = queryOfCursor(encode(text));
        expect(cursorRules.v3(encode(text))).toBe(up !== undefined);
        if (up === undefined) return;
        expect(up).toBe(text);
        const names = values(up).map(([name]) => name);
        expect(names.every((name) => allowed.includes(name))).toBe(true);
        expect(new Set(names).size).toBe(names.length);
        const url = new URL(`https://api.cc.email/v3/path?${up}`);
        expect([url.origin, url.pathname, url.hash]).toEqual(['https://api.cc.email', '/v3/path', '']);
        expect(Number(url.searchParams.get('limit') ?? 1)).toBeLessThanOrEqual(500);
      }),
      { numRuns: 500 },
    );
  });
});

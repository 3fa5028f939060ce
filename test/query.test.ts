import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { directory } from '../src/model/directory.ts';
import type { List } from '../src/model/list.ts';
import { allReports, reports } from '../src/model/reports.ts';
import { sendsReport } from '../src/model/sends.ts';
import { Problem } from '../src/problems.ts';
import { nextLink } from '../src/reports/links.ts';
import { parsePageQuery } from '../src/reports/query.ts';
import { v2 } from '../src/upstream/v2.ts';
import { v3 } from '../src/upstream/v3.ts';
import { api, idOf } from './support/harness.ts';
import { firstPage } from './support/queries.ts';

const id = idOf('1100394165287');
const { campaignIds } = { v2, v3 }[api];
const parse = (search: string, campaign = id, list: List = sendsReport) =>
  parsePageQuery(list, list === directory ? undefined : campaign, search, campaignIds);

function mistakes(search: string, campaign = id, list: List = sendsReport) {
  try {
    parse(search, campaign, list);
  } catch (error) {
    if (error instanceof Problem && error.code === 'invalid-request') return error.errors ?? [];
    throw error;
  }
  throw new Error(`taken: ${search}`);
}

describe('a query', () => {
  test('without parameters is a first page of 500', () => {
    expect(parse('')).toEqual(firstPage(id));
  });

  test.each([
    ['limit=1', { limit: 1 }],
    ['limit=500', { limit: 500 }],
    ['limit=050', { limit: 50 }],
    ['created_since=2012-12-06', { since: '2012-12-06T00:00:00.000Z' }],
    ['created_since=2012-12-06T15:06:14+02:00', { since: '2012-12-06T13:06:14.000Z' }],
    ['created_since=2012-12-06T15:06:14%2B02:00', { since: '2012-12-06T13:06:14.000Z' }],
    ['next=c3RhcnRBdD0zJmxpbWl0PTI', { cursor: 'c3RhcnRBdD0zJmxpbWl0PTI' }],
    ['next=a%2Fb%2B%3D%26c', { cursor: 'a/b+=&c' }],
    [`next=${'x'.repeat(2048)}`, { cursor: 'x'.repeat(2048) }],
  ])('%s is accepted', (search, expected) => {
    expect(parse(search)).toMatchObject(expected);
  });

  test.each([
    ['limit=0', 'limit', 'an integer from 1 to 500'],
    ['limit=501', 'limit', 'an integer from 1 to 500'],
    ['limit=', 'limit', 'an integer from 1 to 500'],
    ['limit=5.0', 'limit', 'an integer from 1 to 500'],
    ['limit=-5', 'limit', 'an integer from 1 to 500'],
    ['limit=1e2', 'limit', 'an integer from 1 to 500'],
    ['limit=0x10', 'limit', 'an integer from 1 to 500'],
    ['next=abc&limit=0', 'limit', 'an integer from 1 to 500'],
    ['limit=5&limit=5', 'limit', 'once'],
    ['created_since=2023-02-29', 'created_since', 'an ISO-8601 date'],
    ['created_since=', 'created_since', 'an ISO-8601 date'],
    ['next=', 'next', '1 to 2,048 printable ASCII characters'],
    ['next=%00', 'next', '1 to 2,048 printable ASCII characters'],
    ['next=%C3%A9', 'next', '1 to 2,048 printable ASCII characters'],
    [`next=${'x'.repeat(2049)}`, 'next', '1 to 2,048 printable ASCII characters'],
    ['page=2', 'page', 'created_since, limit, next'],
    ['toString=1', 'toString', 'created_since, limit, next'],
    ['__proto__=1', '__proto__', 'created_since, limit, next'],
    ['Limit=5', 'Limit', 'created_since, limit, next'],
    ['%3Cscript%3E=1', '(unprintable)', 'created_since, limit, next'],
    ['=1', '(unprintable)', 'created_since, limit, next'],
  ])('%s is refused, naming the parameter and what is allowed', (search, parameter, allowed) => {
    expect(mistakes(search)).toEqual([
      expect.objectContaining({ parameter, allowed: expect.stringContaining(allowed) }),
    ]);
  });

  test.each(['2012-12-06T13:06', '2012-12-06T13:06:14', '2012-12-06T13:06:14.762999'])(
    'the instant %s is refused for its missing zone, unlike text that is not an instant',
    (text) => {
      const allowed = expect.stringContaining('with Z or an offset, such as 2012-12-06T13:06:14.762Z');
      expect(mistakes(`created_since=${text}`)).toEqual([
        { parameter: 'created_since', problem: 'has no time zone', allowed },
      ]);
      for (const none of [`${text}X`, `${text}z `, text.replace('13', '25'), text.replace('-06', '-32'), 'Z', '']) {
        expect(mistakes(`created_since=${none}`)).toEqual([
          { parameter: 'created_since', problem: 'is not a date or date-time', allowed },
        ]);
      }
    },
  );

  const uuid = 'c0ffee00-0000-0000-0000-000000000000';
  test.each(['', '12a', '1'.repeat(21), '-1', '1 2', '١٢', `${uuid}0`, `{${uuid}}`, ...(api === 'v2' ? [uuid] : [])])(
    'the campaign id %j is refused',
    (campaign) => {
      expect(mistakes('', campaign)).toEqual([expect.objectContaining({ parameter: 'id' })]);
    },
  );

  test('two spellings of a campaign id share one key', () => {
    expect(parse('', '007').campaign).toBe('7');
    expect(parse('', '000').campaign).toBe('0');
    const activity = '0A9a95d7-27bf-424c-84b3-53d8fe95eee5';
    if (api === 'v3') expect(parse('', activity).campaign).toBe(activity.toLowerCase());
  });

  test.each(['api_key', 'access_token', 'API_KEY', 'apikey', 'token', 'Authorization'])(
    'the credential %s gets its own message, without its value',
    (name) => {
      const [error] = mistakes(`${name}=sup3r-secret`);
      expect(error?.problem).toContain('credential');
      expect(JSON.stringify(error)).not.toContain('sup3r-secret');
    },
  );

  test('reports all mistakes at once, up to ten', () => {
    expect(mistakes('limit=0&created_since=x&next=', 'x').map(({ parameter }) => parameter)).toEqual([
      'id',
      'limit',
      'created_since',
      'next',
    ]);
    expect(mistakes('a=1&'.repeat(5000)).length).toBeLessThanOrEqual(10);
  });

  test.each([...allReports, directory].map((list: List) => [list.name, list] as const))(
    'of %s is either refused or canonical, for any text: parsing its own link changes nothing',
    (name, list) => {
      const selections = list.filter ? [list.since, list.filter.name] : [list.since];
      const piece = fc.oneof(
        fc.constantFrom(...selections, 'limit', 'next', 'api_key', '2012-12-06', '500', '%', '+', '=', '&', '#', '?'),
        fc.string({ unit: 'binary', maxLength: 12 }),
        fc.string({ maxLength: 12 }).map(encodeURIComponent),
      );
      const pair = fc
        .tuple(
          fc.constantFrom(...selections, 'limit', 'next'),
          fc.oneof(
            fc.string(),
            fc.constantFrom('007', 'sent', 'ALL'),
            fc.integer({ min: 0, max: 600 }),
            fc.date({ noInvalidDate: true }).map((at) => at.toISOString()),
          ),
        )
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      const search = fc.oneof(
        fc.array(piece).map((parts) => parts.join('')),
        fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.join('&')),
      );
      fc.assert(
        fc.property(search, fc.stringMatching(/^\d{1,20}$/), (text, campaign) => {
          let query: ReturnType<typeof parse>;
          try {
            query = parse(text, campaign, list);
          } catch (error) {
            expect(error).toBeInstanceOf(Problem);
            expect((error as Problem).status).toBe(400);
            return;
          }
          if (query.kind === 'first') return;
          const link = nextLink('', query);
          const again = parse(link.slice(link.indexOf('?') + 1), campaign, list);
          expect(again).toEqual(query);
        }),
        { numRuns: name === 'sends' ? 2000 : 300 },
      );
    },
  );
});

describe('a query of clicks', () => {
  const { clicks } = reports;

  test.each([
    ['link_id=1', { filter: '1' }],
    ['link_id=007', { filter: '7' }],
    ['link_id=000', { filter: '0' }],
    [`link_id=${'9'.repeat(20)}`, { filter: '9'.repeat(20) }],
    ['link_id=1&next=abc', { filter: '1', cursor: 'abc' }],
    ['next=abc&created_since=2012-12-06&link_id=1', { since: '2012-12-06T00:00:00.000Z', filter: '1', cursor: 'abc' }],
  ])('%s is accepted', (search, expected) => {
    expect(parse(search, id, clicks)).toMatchObject({ resource: 'clicks', ...expected });
  });

  test.each([
    ['link_id=', '1 to 20 digits'],
    ['link_id=a', '1 to 20 digits'],
    [`link_id=${'9'.repeat(21)}`, '1 to 20 digits'],
    ['link_id=1&link_id=1', 'once'],
  ])('%s is refused', (search, allowed) => {
    expect(mistakes(search, id, clicks)).toEqual([expect.objectContaining({ parameter: 'link_id', allowed })]);
  });

  test('names its own parameters, and no other report has them', () => {
    const allowed = (list: List) => mistakes('page=2', id, list)[0]?.allowed;
    expect(allowed(clicks)).toBe('created_since, link_id, limit, next');
    for (const list of allReports.filter(({ name }) => name !== 'clicks')) {
      expect([list.name, allowed(list)]).toEqual([list.name, 'created_since, limit, next']);
    }
  });
});

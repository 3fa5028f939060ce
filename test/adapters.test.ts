/**
 * Both versions of Constant Contact's API pass the adapter suite.
 */
import { describe, expect, test } from '@jest/globals';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import type { StatsQuestions } from '../src/upstream/adapter.ts';
import { apiKeyCredentials, bearerCredentials } from '../src/upstream/credentials.ts';
import { v2 } from '../src/upstream/v2.ts';
import { v3 } from '../src/upstream/v3.ts';
import { activitiesOf, activitiesOfDigits } from '../src/upstream/v3-ids.ts';
import { describeAdapter } from './conformance/adapter.ts';
import { accessToken, apiKey, cursorOf, oauth } from './support/harness.ts';
import { firstPage, nextPage } from './support/queries.ts';

describeAdapter('v2', {
  adapter: v2,
  campaign: '1',
  unknown: '2',
  cursor: 'c3RhcnRBdD0zJmxpbWl0PTM',
  credentials: () => apiKeyCredentials({ apiKey: () => apiKey, accessToken: () => accessToken }),
  secrets: [apiKey, accessToken],
  resources: { ofAccount: ['campaigns'], ofCampaign: ['v2-details'] },
  others: {},
});

describeAdapter('v3', {
  adapter: v3,
  campaign: activityIdOf('1'),
  unknown: activityIdOf('2'),
  cursor: cursorOf('c3RhcnRBdD0zJmxpbWl0PTM', 'v3'),
  credentials: (sandbox) => {
    const token = sandbox.oauth?.authorize().accessToken ?? '';
    return bearerCredentials({ current: () => token, ready: () => undefined, refused: () => {} });
  },
  secrets: Object.values(oauth),
  resources: { ofAccount: ['v3-emails', 'v3-summaries'], ofCampaign: ['v3-email', 'links'] },
  others: {
    'the statistics of activities': () => (v3.stats as StatsQuestions).of(new Set([activityIdOf('1')])),
    'whether there is an activity': () => (v3.stats as StatsQuestions).existence(activityIdOf('1')),
    'the activities of a campaign': () => activitiesOf(campaignIdOf('1')),
    "what v2's digits mean": () => activitiesOfDigits(new Set(['1', '2'])),
  },
});

describe('credentials', () => {
  test("of v2 come first in the query, and the account's token in a header", () => {
    const { sign } = apiKeyCredentials({ apiKey: () => 'the key', accessToken: () => 'the token' });
    const { request } = sign(v2.page(firstPage('1')).request);
    expect(Object.entries(request.query ?? {})).toEqual([
      ['api_key', 'the key'],
      ['limit', '500'],
    ]);
    expect(request.headers).toEqual({ authorization: 'Bearer the token' });
    const withoutToken = apiKeyCredentials({ apiKey: () => 'the key', accessToken: () => undefined });
    expect(withoutToken.sign(v2.neutral.request).request.headers).toEqual({});
  });

  test('of v3 are a header, and leave the query of Constant Contact unchanged', () => {
    const { sign } = bearerCredentials({ current: () => 'the token', ready: () => undefined, refused: () => {} });
    const { request } = sign(v3.page(nextPage('a-b', cursorOf('x', 'v3'))).request);
    expect(request).toEqual({
      path: '/v3/reports/email_reports/a-b/tracking/sends',
      search: 'next=x',
      headers: { authorization: 'Bearer the token' },
    });
  });

  test('are read anew for each call, and a refusal names the ones sent', () => {
    let token = 'first';
    const refused: unknown[] = [];
    const { sign } = bearerCredentials({
      current: () => token,
      ready: () => undefined,
      refused: (...given) => refused.push(given),
    });
    const signed = sign(v3.neutral.request);
    token = 'second';
    expect(sign(v3.neutral.request).request.headers).toEqual({ authorization: 'Bearer second' });
    signed.refused(true);
    expect(refused).toEqual([['first', true]]);
  });
});

test('an invalid v3 cursor is refused without a call', () => {
  expect(() => v3.page(nextPage(activityIdOf('1'), 'no cursor'))).toThrow(
    expect.objectContaining({ code: 'invalid-cursor', reason: 'unreadable' }),
  );
});

/**
 * One cache entry for each question, and one generation for each walk: no two share one, whatever is in them.
 */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Generations } from '../src/cache/generations.ts';
import { PageKeys, questionKey } from '../src/cache/keys.ts';
import { sourcesOf } from '../src/cache/recipes.ts';
import { v2Recipes } from '../src/campaigns/v2-recipes.ts';
import { v3Recipes } from '../src/campaigns/v3-recipes.ts';
import { noOtherIds } from '../src/model/campaign-ids.ts';
import { statusFilters } from '../src/model/directory.ts';
import { noCampaign, type PageQuery, pageBehind, type Walk } from '../src/model/page-query.ts';
import { allReports } from '../src/model/reports.ts';
import type { DetailName } from '../src/model/resource.ts';
import { FakeClock } from './support/clock.ts';

const perhaps = <T>(...values: readonly T[]) => fc.constantFrom(undefined, ...values);
const campaign = fc.constantFrom('1', '5', '15', '500');
const since = perhaps('2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z');
/** Names and values that are alike, or look like parts of a key. */
const walks: fc.Arbitrary<Walk> = fc.oneof(
  fc.record({
    resource: fc.constantFrom(...allReports.map(({ name }) => name)),
    ...{ campaign, since, form: perhaps('v2' as const) },
  }),
  fc.record({
    resource: fc.constant('clicks' as const),
    ...{ campaign, since, filter: perhaps('1', '5', '500'), form: perhaps('v2' as const) },
  }),
  fc.record({
    resource: fc.constant('campaigns' as const),
    campaign: fc.constant(noCampaign),
    ...{ since, filter: perhaps(...statusFilters) },
  }),
  fc.record({ resource: fc.constantFrom<DetailName>('campaign', 'summary', 'links'), campaign }),
);
const queries: fc.Arbitrary<PageQuery> = fc.oneof(
  fc.tuple(walks, fc.constantFrom(1, 5, 500)).map(([walk, limit]) => ({ kind: 'first' as const, ...walk, limit })),
  fc.tuple(walks, fc.constantFrom('1', '500', '0|1', '|', '5||500')).map(([walk, cursor]) => pageBehind(walk, cursor)),
);

/** Without what is undefined. */
const plain = (value: object) => JSON.parse(JSON.stringify(value)) as unknown;

describe.each([
  ['v2', true, sourcesOf(v2Recipes)],
  ['v3', false, sourcesOf(v3Recipes(noOtherIds))],
] as const)('with %s', (_, filtersSince, sources) => {
  const ids = { ...noOtherIds, activityOf: (id: string) => (id === '15' ? '5' : id) };
  const keys = new PageKeys(ids, new Generations(10, new FakeClock()), filtersSince, sources);

  test('two queries share an entry only if they are the same', () => {
    fc.assert(
      fc.property(queries, queries, (one, other) => {
        const areSame = JSON.stringify(plain(one)) === JSON.stringify(plain(other));
        expect(keys.of(one).text === keys.of(other).text).toBe(areSame);
        expect(questionKey(one) === questionKey(other)).toBe(areSame);
      }),
      { numRuns: 5_000 },
    );
  });

  test('two queries share a generation only if they read the same rows of Constant Contact', () => {
    const rowsOf = ({ resource, campaign, since, filter }: PageQuery) => {
      const source = sources[resource];
      const activity = ids.activityOf(campaign);
      if (source !== undefined) return [activity, source];
      return [activity, resource, filtersSince ? since : undefined, filter];
    };
    fc.assert(
      fc.property(queries, queries, (one, other) => {
        const areSame = JSON.stringify(rowsOf(one)) === JSON.stringify(rowsOf(other));
        expect(keys.of(one).walk === keys.of(other).walk).toBe(areSame);
      }),
      { numRuns: 5_000 },
    );
  });
});

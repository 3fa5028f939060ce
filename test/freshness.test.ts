import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { freshForMs } from '../src/cache/freshness.ts';

const limits = { minFreshSeconds: 60, maxFreshSeconds: 86_400 };
const now = Date.parse('2026-01-01T12:00:00Z');
const freshSeconds = (ageSeconds: number) => freshForMs(now - ageSeconds * 1000, now, limits) / 1000;

describe('a page', () => {
  test.each([
    ['a minute', 60, 60],
    ['ten minutes', 600, 60],
    ['eleven minutes', 660, 66],
    ['an hour', 3_600, 360],
    ['ten days less a second', 863_999, 86_399.9],
    ['ten days', 864_000, 86_400],
    ['a month', 2_592_000, 86_400],
  ])('whose newest send is %s old is fresh for a tenth of that, within a minute and a day', (_, age, fresh) => {
    expect(freshSeconds(age)).toBeCloseTo(fresh, 3);
  });

  test('without sends, or with a future date, is fresh for a minute', () => {
    expect(freshForMs(undefined, now, limits)).toBe(60_000);
    expect(freshSeconds(-3600)).toBe(60);
  });

  test('stays fresh longer the older it is, within the bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.nat(1e9), (age, more) => {
        const fresh = freshSeconds(age);
        expect(fresh).toBeGreaterThanOrEqual(60);
        expect(fresh).toBeLessThanOrEqual(86_400);
        expect(freshSeconds(age + more)).toBeGreaterThanOrEqual(fresh);
      }),
    );
  });
});

/**
 * When a walk starts a new generation, which invalidates its later pages.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type ArrivedPage, Generations } from '../src/cache/generations.ts';
import { FakeClock } from './support/clock.ts';

const walk = '1|sends|';
let generations: Generations;
let begun: string[];

beforeEach(() => {
  begun = [];
  generations = new Generations(100, new FakeClock(), (one) => begun.push(one));
});

function firstArrives(limit: number, etag: string, firstRow: string): number {
  const { generation: askedIn } = generations.of(walk);
  return generations.arrived({ of: { kind: 'first', walk, limit }, etag, firstRow, askedIn, previousEtag: undefined });
}

function laterArrives(about: Partial<ArrivedPage>): number {
  const { generation: askedIn } = generations.of(walk);
  const of = { kind: 'next', walk, cursor: 'c' } as const;
  return generations.arrived({ of, etag: 'later', firstRow: 'z', askedIn, previousEtag: undefined, ...about });
}

describe('A first page', () => {
  test.each([
    ['with another newest row', 500, 'b', 'y'],
    ['with the same newest row, and other rows behind it', 500, 'b', 'x'],
    ['of another limit, with another newest row', 10, 'b', 'y'],
  ])('%s starts a generation', (_, limit, etag, firstRow) => {
    const before = firstArrives(500, 'a', 'x');
    expect(firstArrives(limit, etag, firstRow)).toBeGreaterThan(before);
    expect(begun).toEqual([walk, walk]);
  });

  test.each([
    ['that is what it was', 500, 'a'],
    ['of another limit, with the same newest row', 10, 'b'],
  ])('%s begins none', (_, limit, etag) => {
    const before = firstArrives(500, 'a', 'x');
    expect(firstArrives(limit, etag, 'x')).toBe(before);
    expect(begun).toEqual([walk]);
  });

  test('is remembered for a few limits only', () => {
    for (let limit = 1; limit <= 100; limit++) firstArrives(limit, 'a', 'x');
    expect(generations.of(walk).firstPages.size).toBeLessThanOrEqual(8);
  });
});

describe('A later page', () => {
  test('that has changed starts a generation that excludes it', () => {
    const before = firstArrives(500, 'a', 'x');
    expect(laterArrives({ previousEtag: 'other' })).toBe(before);
    expect(generations.of(walk).generation).toBeGreaterThan(before);
  });

  test.each<[string, Partial<ArrivedPage>]>([
    ['that was not held', {}],
    ['that is what it was', { previousEtag: 'later' }],
    ['that has changed, and was asked for in an earlier generation', { previousEtag: 'other', askedIn: 1 }],
  ])('%s begins none', (_, about) => {
    const before = firstArrives(500, 'a', 'x');
    laterArrives(about);
    expect(generations.of(walk).generation).toBe(before);
  });
});

test('Generations only rise, even past one from another instance', () => {
  const ours = firstArrives(500, 'a', 'x');
  generations.adopt(walk, ours - 1);
  expect(generations.of(walk).generation).toBe(ours);
  generations.adopt(walk, ours + 1_000_000);
  expect(generations.of(walk).generation).toBe(ours + 1_000_000);
  expect(firstArrives(500, 'b', 'y')).toBeGreaterThan(ours + 1_000_000);
});

/**
 * When a worker serves its copy of a page without asking the primary.
 */
import { beforeEach, expect, test } from '@jest/globals';
import { makeBody, pageOf } from '../src/cache/page.ts';
import { hitInMemory } from '../src/cache/page-source.ts';
import type { Asking } from '../src/workers/channel.ts';
import { Copies } from '../src/workers/copies.ts';
import type { AnsweredPage } from '../src/workers/protocol.ts';
import { FakeClock } from './support/clock.ts';
import { firstPage } from './support/queries.ts';

const ask = { team: 'team' };
let clock: FakeClock;
let asked: number;
let copies: Copies;

beforeEach(async () => {
  clock = new FakeClock();
  asked = 0;
  const body = await makeBody({ json: '{}', next: undefined, cursor: undefined, newestMs: undefined });
  const answer = (campaign: string): AnsweredPage => {
    const at = clock.monotonic();
    const page = pageOf(body, { fetchedAt: at - 10_000, freshUntil: at + 60_000, generation: 1, failedAt: undefined });
    return { lookup: { page, outcome: hitInMemory }, at, goodForMs: 60_000, heldUnder: campaign };
  };
  const primary = {
    ask: async (_: string, { query }: { query: { campaign: string } }) => {
      asked++;
      return answer(query.campaign);
    },
  } as unknown as Asking;
  copies = new Copies(primary, clock, 2 ** 30);
});

test('A copy is served for as long as the primary allows', async () => {
  await copies.get(firstPage('1'), ask);
  await clock.pass(59_999);
  expect(copies.hit(firstPage('1'))).toBeDefined();
  await clock.pass(1);
  expect(copies.hit(firstPage('1'))).toBeUndefined();
});

test('A copy is not served to a caller who wants a fresher page', async () => {
  await copies.get(firstPage('1'), ask);
  expect(copies.hit(firstPage('1'), 10)).toBeDefined();
  expect(copies.hit(firstPage('1'), 9)).toBeUndefined();
});

test('Invalidating a campaign drops its copies and keeps those of others', async () => {
  for (const campaign of ['1', '2']) await copies.get(firstPage(campaign), ask);
  copies.moved('1');
  expect(copies.hit(firstPage('1'))).toBeUndefined();
  expect(copies.hit(firstPage('2'))).toBeDefined();
  await copies.get(firstPage('1'), ask);
  expect(copies.hit(firstPage('1'))).toBeDefined();
  copies.moved(undefined);
  for (const campaign of ['1', '2']) expect(copies.hit(firstPage(campaign))).toBeUndefined();
  expect(asked).toBe(3);
});

test('No invalidated copy survives, even after more invalidations than are remembered', async () => {
  await copies.get(firstPage('1'), ask);
  copies.moved('1');
  for (let n = 0; n <= 50_000; n++) copies.moved(`other ${n}`);
  expect(copies.hit(firstPage('1'))).toBeUndefined();
});

test('A page that cannot be asked for ahead of demand is none, and no error', async () => {
  const unreachable = { ask: () => Promise.reject(new Error('the primary is gone')) } as unknown as Asking;
  expect(await new Copies(unreachable, clock, 2 ** 30).prefetch(firstPage('1'), ask)).toBeUndefined();
});

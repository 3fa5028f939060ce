/**
 * What a purge leaves in memory: no page, in no form.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from '@jest/globals';
import { makeBody, pageOf } from '../../src/cache/page.ts';
import { PageCache } from '../../src/cache/page-cache.ts';
import { hitInMemory } from '../../src/cache/page-source.ts';
import { contentOf } from '../../src/http/prepared-response.ts';
import { itemQuery } from '../../src/model/page-query.ts';
import { readRows, renderPage } from '../../src/reports/page-json.ts';
import { PreparedResponses } from '../../src/reports/prepared-responses.ts';
import { RefreshAhead } from '../../src/reports/refresh-ahead.ts';
import type { Asking } from '../../src/workers/channel.ts';
import { Copies } from '../../src/workers/copies.ts';
import type { AnsweredPage } from '../../src/workers/protocol.ts';
import { pageOfOne } from '../conformance/page-source.ts';
import { FakeClock } from '../support/clock.ts';
import { type Harness, start } from '../support/harness.ts';
import { firstPage } from '../support/queries.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Whether nothing but the garbage collector knows these. */
async function areGone(refs: readonly WeakRef<object>[]): Promise<boolean> {
  // A weak reference keeps what it has given until the end of the task.
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  return refs.every((ref) => ref.deref() === undefined);
}

const body = (text: string) => makeBody({ json: text, next: undefined, cursor: undefined, newestMs: undefined });

describe('A purge', () => {
  let it: Harness | undefined;
  afterEach(() => it?.close());

  test.each(['everything', 'campaign=1'])('of %s leaves no response in any encoding', async (what) => {
    it = await start();
    it.sandbox.campaign({ id: '1', size: 50, newestMs: it.clock.now() });
    for (const encoding of ['identity', 'gzip', 'br']) {
      for (const tail of ['sends?limit=10', 'sends?limit=20', 'summary', 'links']) {
        const answer = await it.get(`/campaigns/1/${tail}`, { 'accept-encoding': encoding });
        expect([tail, answer.status]).toEqual([tail, 200]);
        await answer.arrayBuffer();
      }
    }
    const bytes = async () => {
      const metrics = await (await fetch(`${it?.service.managementUrl}/metrics`)).text();
      return Number(/^sendgate_cache_bytes (\d+)$/m.exec(metrics)?.[1]);
    };
    expect(await bytes()).toBeGreaterThan(10_000);
    expect((await fetch(`${it.service.managementUrl}/purge?${what}`, { method: 'POST' })).status).toBe(200);
    expect(await bytes()).toBe(0);
  });

  test('leaves no rows of which others were made', async () => {
    const refs: WeakRef<object>[] = [];
    const pages = new PageCache(
      {
        clock: new FakeClock(),
        fetchPage: async () => pageOfOne('a'),
        readRows: (...page) => {
          const rows = readRows(...page);
          refs.push(new WeakRef(rows));
          return rows;
        },
        filtersSince: true,
        recipes: {
          links: {
            source: 'sends',
            make: async ({ campaign }, sources) => {
              const from = await sources.get(firstPage(campaign));
              return { content: { rows: [], cursor: undefined }, from: [from] };
            },
          },
        },
        render: (...page) => renderPage('', ...page),
      },
      {
        ...{ maxBytes: 2 ** 20, maxViewBytes: 2 ** 18, notFoundSeconds: 60 },
        ...{ minFreshSeconds: 60, maxFreshSeconds: 86_400, staleIfErrorSeconds: 3_600 },
      },
    );
    await pages.get(itemQuery('links', '1'), { team: 'team' });
    expect(refs).toHaveLength(1);
    await pages.purge('1');
    expect(await areGone(refs)).toBe(true);
  });

  test('leaves no response that was being encoded', async () => {
    const responses = new PreparedResponses('', 2 ** 20);
    const coming = responses.of(await body('text'.repeat(1_000)), 'gzip');
    responses.clear();
    expect(contentOf(await coming)).toBeDefined();
    expect(responses.bytes).toBe(0);
  });

  test('leaves no plan to refresh a page', async () => {
    const clock = new FakeClock();
    const pages = { peek: () => undefined } as unknown as PageCache;
    const refreshAhead = new RefreshAhead({ pages, clock, isAmple: () => true });
    const refs: WeakRef<object>[] = [];
    const plan = async () => {
      const now = clock.monotonic();
      const times = { fetchedAt: now - 50_000, freshUntil: now + 10_000, generation: 1, failedAt: undefined };
      const page = pageOf(await body('text'), times);
      refs.push(new WeakRef(page));
      refreshAhead.answered(firstPage('1'), page, { team: 'team' });
    };
    await plan();
    refreshAhead.cancelAll();
    expect(await areGone(refs)).toBe(true);
  });

  test("leaves no worker's copy, and keeps those of others", async () => {
    const clock = new FakeClock();
    const [one, other] = [await body('one'), await body('another')];
    const answer = (campaign: string): AnsweredPage => {
      const at = clock.monotonic();
      const times = { fetchedAt: at, freshUntil: at + 60_000, generation: 1, failedAt: undefined };
      const lookup = { page: pageOf(campaign === '1' ? one : other, times), outcome: hitInMemory };
      return { lookup, at, goodForMs: 60_000, heldUnder: campaign };
    };
    const primary = { ask: async (_: string, { query }: { query: { campaign: string } }) => answer(query.campaign) };
    const copies = new Copies(primary as unknown as Asking, clock, 2 ** 30);
    for (const campaign of ['1', '2']) await copies.get(firstPage(campaign), { team: 'team' });
    copies.moved('1');
    copies.forget('1');
    expect([copies.peek(firstPage('1')), copies.hit(firstPage('2'))]).toEqual([undefined, expect.anything()]);
    copies.forget(undefined);
    expect(copies.bytes).toBe(0);
  });
});

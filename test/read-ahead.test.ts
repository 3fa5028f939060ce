import { afterEach, describe, expect, test } from '@jest/globals';
import { type Environment, type Harness, start, until } from './support/harness.ts';

let it: Harness;
afterEach(() => it.close());

async function up(env: Environment = {}) {
  it = await start(env);
  for (const id of ['1', '2']) it.sandbox.campaign({ id, size: 50, newestMs: it.clock.now() - 86_400_000 });
}

const head = (id: string) => `/campaigns/${id}/sends?limit=10`;
const nextOf = async (target: string) => (await it.page(target)).meta.pagination.next_link ?? '';
const calls = (count: number) => until(() => it.sandbox.callCount === count, `${count} calls`);
const quiet = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('read-ahead', () => {
  test('fetches the next page once a cursor is requested, and no page twice', async () => {
    await up();
    const second = await nextOf(head('1'));
    await quiet();
    expect(it.sandbox.callCount).toBe(1); // a first page alone is not a walk
    let target = await nextOf(second);
    await calls(3);
    for (let page = 3; page <= 5; page++) {
      expect((await it.get(target)).headers.get('cache-status')).toMatch(/hit|collapsed/);
      target = await nextOf(target);
      await calls(Math.min(page + 1, 5));
    }
    expect(target).toBe('');
    await quiet();
    expect(it.sandbox.callCount).toBe(5);
  });

  test('starts at the first page for a client that has walked before', async () => {
    await up();
    await nextOf(await nextOf(head('1')));
    await calls(3);
    await it.get(head('2'));
    await calls(5);
  });

  test('shares its queued call with a caller who requests the page, who makes it urgent', async () => {
    await up();
    const second = await nextOf(head('1'));
    it.sandbox.fault({ kind: 'latency', ms: 150 });
    const third = await nextOf(second);
    const answer = await it.get(third);
    expect(answer.headers.get('cache-status')).toMatch(/collapsed|hit/);
    await calls(4); // the first page, two later pages, and the one ahead
  });

  test('fetches as many pages ahead as configured', async () => {
    await up({ SENDGATE_CACHE_READ_AHEAD_PAGES: '2' });
    const second = await nextOf(head('1'));
    await it.get(second);
    await calls(4);
    await quiet();
    expect(it.sandbox.callCount).toBe(4);
    await it.get(await nextOf(second));
    await calls(5);
  });

  test.each([
    ['it is turned off', { SENDGATE_CACHE_READ_AHEAD_PAGES: '0' }],
    ['less than half is left of what the day should have left', { SENDGATE_QUOTA_PER_DAY: '2' }],
  ])('is off when %s', async (_, env) => {
    await up(env);
    await it.get(await nextOf(head('1')));
    await quiet();
    expect(it.sandbox.callCount).toBe(2);
  });
});

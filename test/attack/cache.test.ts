/**
 * A caller cannot evict the pages of others without paying for it with calls.
 */
import { afterEach, expect, test } from '@jest/globals';
import { activityIdOf } from '../../src/sandbox/v3.ts';
import { type Harness, start } from '../support/harness.ts';

let it: Harness;
afterEach(() => it.close());

const pathOf = (id: number) => `/campaigns/${activityIdOf(String(id))}/sends`;

test('a hundred views of one page evict no pages of others', async () => {
  it = await start({ SENDGATE_CACHE_MAX_BYTES: String(1024 * 1024) }, {}, 'v3');
  const newestMs = Date.now() - 86_400_000;
  for (let id = 1; id <= 40; id++) it.sandbox.campaign({ id: String(id), size: 500, newestMs });
  for (let id = 1; id <= 40; id++) await it.get(pathOf(id));
  const { pages } = it.service;
  const held = pages.count;
  it.sandbox.forget();
  for (let n = 0; n < 100; n++) {
    const since = new Date(newestMs - 400_000 + n).toISOString();
    expect((await it.get(`${pathOf(40)}?created_since=${since}`)).status).toBe(200);
  }
  expect(pages.bytes).toBeLessThanOrEqual(1024 * 1024);
  for (let id = 1; id <= 40; id++) await it.get(pathOf(id));
  expect(it.sandbox.callCount).toBe(0);
  expect(held).toBe(40);
});

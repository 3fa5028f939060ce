/**
 * What one caller asks for does not push everybody's pages out of the cache, unless it pays for it with calls.
 */
import { afterEach, expect, test } from '@jest/globals';
import { type Harness, start } from '../support/harness.ts';

let it: Harness;
afterEach(() => it.close());

test('a hundred views of one page leave the pages of others where they are', async () => {
  it = await start({ SENDGATE_CACHE_MAX_BYTES: String(1024 * 1024) }, {}, 'v3');
  const newestMs = Date.now() - 86_400_000;
  for (let id = 1; id <= 40; id++) it.sandbox.campaign({ id: String(id), size: 500, newestMs });
  for (let id = 1; id <= 40; id++) await it.get(`/campaigns/${id}/sends`);
  const { pages } = it.service;
  const held = pages.count;
  it.sandbox.forget();
  for (let n = 0; n < 100; n++) {
    const since = new Date(newestMs - 400_000 + n).toISOString();
    expect((await it.get(`/campaigns/40/sends?created_since=${since}`)).status).toBe(200);
  }
  expect(pages.bytes).toBeLessThanOrEqual(1024 * 1024);
  for (let id = 1; id <= 40; id++) await it.get(`/campaigns/${id}/sends`);
  expect(it.sandbox.callCount).toBe(0);
  expect(held).toBe(40);
});

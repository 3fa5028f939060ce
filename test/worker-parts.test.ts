/**
 * What the processes of one Sendgate share: each client's count, and the bytes for pages.
 */
import { expect, test } from '@jest/globals';
import { loadConfig } from '../src/config/load.ts';
import { bytesOfPrimary, bytesOfWorker } from '../src/workers/memory.ts';
import { PrimaryCounter } from '../src/workers/primary-counter.ts';
import { FakeClock } from './support/clock.ts';
import { accessToken, apiKey } from './support/harness.ts';

test('counts of a client add up over all workers until its window ends', async () => {
  const clock = new FakeClock();
  const counting = new PrimaryCounter(clock);
  expect(await counting.add('a', 3, 60_000)).toEqual({ total: 3, leftMs: 60_000 });
  await clock.pass(20_000);
  // A worker that met the client later has a longer window: the first one counts.
  expect(await counting.add('a', 2, 60_000)).toEqual({ total: 5, leftMs: 40_000 });
  expect(await counting.add('b', 1, 30_000)).toEqual({ total: 1, leftMs: 30_000 });
  await clock.pass(39_999);
  expect(await counting.add('a', 1, 60_000)).toEqual({ total: 6, leftMs: 1 });
  await clock.pass(1);
  expect(await counting.add('a', 1, 60_000)).toEqual({ total: 1, leftMs: 60_000 });
});

test.each([1, 2, 3, 7, 64])('%d workers and their primary cache no more bytes than one process may', (workers) => {
  const env = {
    CONSTANT_CONTACT_API_KEY: apiKey,
    CONSTANT_CONTACT_ACCESS_TOKEN: accessToken,
    SENDGATE_WORKERS: String(workers),
    SENDGATE_CACHE_MAX_BYTES: '268435457',
  };
  const { config } = loadConfig(env, () => '');
  const { pagesBytes, responsesBytes } = bytesOfPrimary(config);
  const worker = bytesOfWorker(config);
  const ofWorkers = workers > 1 ? workers * (worker.copiesBytes + worker.responsesBytes) : 0;
  const all = pagesBytes + responsesBytes + ofWorkers;
  expect(all).toBeLessThanOrEqual(config.cache.maxBytes);
  expect(all).toBeGreaterThan(config.cache.maxBytes * 0.999);
  expect(Math.min(pagesBytes, worker.copiesBytes, worker.responsesBytes)).toBeGreaterThan(0);
});

/**
 * Every page source passes the suite of the seam: the page cache, alone and with a second level, and a worker's copies.
 */
import { deserialize, serialize } from 'node:v8';
import { Generations } from '../src/cache/generations.ts';
import { Answering, Asking } from '../src/workers/channel.ts';
import { Copies } from '../src/workers/copies.ts';
import { pageAnswers } from '../src/workers/page-answers.ts';
import type { Answers } from '../src/workers/protocol.ts';
import { cacheOf, pageSourceSuite } from './conformance/page-source.ts';
import { MemorySecondLevel, SharedMemory } from './support/memory-second-level.ts';

pageSourceSuite('The page cache', (upstream, clock) => cacheOf(clock, upstream));

pageSourceSuite('The page cache with a second level', (upstream, clock) => {
  const generations = new Generations(100, clock);
  return cacheOf(clock, upstream, {
    generations,
    secondLevel: new MemorySecondLevel(new SharedMemory(clock), generations),
  });
});

pageSourceSuite("A worker's copies", (upstream, clock) => {
  const pages = cacheOf(clock, upstream);
  // Messages are copied, and arrive later, as between processes.
  const copied = (message: unknown) => deserialize(serialize(message));
  const asking: Asking = new Asking((message) => setImmediate(() => answering.received(copied(message))));
  const answering: Answering = new Answering(
    // Copies ask for nothing else.
    pageAnswers({ pages, clock, isAmple: () => true }) as unknown as Answers,
    (message) => setImmediate(() => asking.received(copied(message))),
    (error) => {
      throw error;
    },
  );
  return new Copies(asking, clock, 2 ** 20);
});

/**
 * Divides `cache.maxBytes` between the processes.
 */
import type { Config } from '../config/schema.ts';

/** Fraction of a process's bytes for prepared responses. */
const partForAnswers = 1 / 8;

interface Bytes {
  readonly pagesBytes: number;
  readonly answersBytes: number;
}

/** Bytes of a single process or, with workers, of the primary: half of them, all for pages, since it answers no callers. */
export function bytesOfPrimary({ cache, server }: Config): Bytes {
  if (server.workers > 1) return { pagesBytes: Math.floor(cache.maxBytes / 2), answersBytes: 0 };
  const answersBytes = Math.floor(cache.maxBytes * partForAnswers);
  return { pagesBytes: cache.maxBytes - answersBytes, answersBytes };
}

/** Bytes of each worker: an equal part of the other half. */
export function bytesOfWorker({ cache, server }: Config): { copiesBytes: number; answersBytes: number } {
  const all = Math.floor(cache.maxBytes / 2 / server.workers);
  const answersBytes = Math.floor(all * partForAnswers * 2);
  return { copiesBytes: all - answersBytes, answersBytes };
}

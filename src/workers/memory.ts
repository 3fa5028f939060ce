/**
 * How `cache.maxBytes` is divided, so that all processes together hold no more.
 */
import type { Config } from '../config/schema.ts';

/** The share of a process's bytes that is for prepared responses. */
const partForAnswers = 1 / 8;

interface Bytes {
  readonly pagesBytes: number;
  readonly answersBytes: number;
}

/** Of the only process; with workers, of the primary: half of the bytes, all for pages, since it answers no caller. */
export function bytesOfPrimary({ cache, server }: Config): Bytes {
  if (server.workers > 1) return { pagesBytes: Math.floor(cache.maxBytes / 2), answersBytes: 0 };
  const answersBytes = Math.floor(cache.maxBytes * partForAnswers);
  return { pagesBytes: cache.maxBytes - answersBytes, answersBytes };
}

/** Of each worker: an equal part of the other half. */
export function bytesOfWorker({ cache, server }: Config): { copiesBytes: number; answersBytes: number } {
  const all = Math.floor(cache.maxBytes / 2 / server.workers);
  const answersBytes = Math.floor(all * partForAnswers * 2);
  return { copiesBytes: all - answersBytes, answersBytes };
}

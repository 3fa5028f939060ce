/**
 * Divides `cache.maxBytes` between the processes.
 */
import type { Config } from '../config/schema.ts';

/** Fraction of a process's bytes for prepared responses. */
const partForResponses = 1 / 8;

interface Bytes {
  readonly pagesBytes: number;
  readonly responsesBytes: number;
}

/** Bytes of a single process or, with workers, of the primary: half of them, all for pages, since it answers no callers. */
export function bytesOfPrimary({ cache, server }: Config): Bytes {
  if (server.workers > 1) return { pagesBytes: Math.floor(cache.maxBytes / 2), responsesBytes: 0 };
  const responsesBytes = Math.floor(cache.maxBytes * partForResponses);
  return { pagesBytes: cache.maxBytes - responsesBytes, responsesBytes };
}

/** Bytes of each worker: an equal part of the other half. */
export function bytesOfWorker({ cache, server }: Config): { copiesBytes: number; responsesBytes: number } {
  const all = Math.floor(cache.maxBytes / 2 / server.workers);
  const responsesBytes = Math.floor(all * partForResponses * 2);
  return { copiesBytes: all - responsesBytes, responsesBytes };
}

/**
 * What Redis replies when a page is looked for: input, which is parsed and bounded.
 */
import { lockMs } from '../../redis/lock.ts';
import type { Reply } from '../../redis/scripts.ts';
import { maxAheadMs } from '../stored-times.ts';
import type { RedisPageKeys } from './redis-page-keys.ts';

export interface LookReply {
  readonly kind: 'page' | 'lease' | 'wait';
  /** Of the walk. */
  readonly generation: number;
  readonly pageGeneration: number;
  /** Until when the refusal is remembered, wall time; not a number where that cannot be right. */
  readonly until: number;
  readonly record: Buffer;
  readonly refusal: string;
  /** How long the lock of another instance lives if it is not renewed. */
  readonly lockMs: number;
}

const kinds: readonly LookReply['kind'][] = ['page', 'lease', 'wait'];

/** @param now wall time */
export function parseLookReply(
  reply: Reply | undefined,
  keys: RedisPageKeys,
  now: number,
  { notFoundSeconds }: { readonly notFoundSeconds: number },
): LookReply | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [name, generation, pageGeneration, fetchedAt, until, record, refusal, lock] = reply;
  const kind = kinds.find((one) => one === String(name));
  if (kind === undefined) return undefined;
  const fetched = Number(fetchedAt);
  return {
    kind,
    generation: keys.generationOf(generation),
    pageGeneration: keys.generationOf(pageGeneration),
    until: fetched <= now + maxAheadMs ? Math.min(Number(until), fetched + notFoundSeconds * 1000) : Number.NaN,
    record: Buffer.isBuffer(record) ? record : Buffer.alloc(0),
    refusal: String(refusal),
    lockMs: Math.min(Math.max(0, Number(lock) || 0), lockMs),
  };
}

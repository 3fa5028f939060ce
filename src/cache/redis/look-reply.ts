/**
 * Parses and bounds Redis' reply to a page lookup: it is untrusted input.
 */
import { lockMs } from '../../redis/lock.ts';
import type { Reply } from '../../redis/scripts.ts';
import { maxAheadMs } from '../page-scripts.ts';
import { isRefusalCode } from '../refusals.ts';
import type { RedisPageKeys } from './redis-page-keys.ts';

export interface LookReply {
  readonly kind: 'page' | 'lease' | 'wait';
  /** Current generation of the walk. */
  readonly generation: number;
  readonly pageGeneration: number;
  /** Wall times; NaN if implausible. */
  readonly fetchedAt: number;
  readonly until: number;
  readonly record: Buffer;
  readonly refusal: string;
  /** Milliseconds until another instance's lock expires unless renewed. */
  readonly lockMs: number;
}

interface Limits {
  readonly maxFreshSeconds: number;
  readonly notFoundSeconds: number;
}

const kinds: Readonly<Record<string, LookReply['kind']>> = { page: 'page', lease: 'lease', wait: 'wait' };

/** @param now wall time in milliseconds */
export function parseLookReply(
  reply: Reply | undefined,
  keys: RedisPageKeys,
  now: number,
  { maxFreshSeconds, notFoundSeconds }: Limits,
): LookReply | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [name, generation, pageGeneration, fetchedAt, until, record, refusal, lock] = reply;
  const kind = kinds[String(name)];
  if (kind === undefined) return undefined;
  const fetched = Number(fetchedAt);
  const code = String(refusal);
  const longestMs = (isRefusalCode(code) ? notFoundSeconds : maxFreshSeconds) * 1000;
  return {
    kind,
    generation: keys.generationOf(generation),
    pageGeneration: keys.generationOf(pageGeneration),
    fetchedAt: fetched <= now + maxAheadMs ? fetched : Number.NaN,
    until: Math.min(Number(until), fetched + longestMs),
    record: Buffer.isBuffer(record) ? record : Buffer.alloc(0),
    refusal: code,
    lockMs: Math.min(Math.max(0, Number(lock) || 0), lockMs),
  };
}

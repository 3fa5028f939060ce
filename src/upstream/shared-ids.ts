/**
 * Shares learned ids between instances through Redis, so that each id is looked up once.
 */
import { timingSafeEqual } from 'node:crypto';
import { isMeantActivity, type MeantActivity } from '../model/meant-activity.ts';
import type { Digest } from '../redis/digests.ts';
import type { Redis } from '../redis/redis.ts';

const kind = 'ids';
/** Pairs per message of at most 16 KB. */
const maxPairs = 100;

/**
 * Learned ids are kept for good, and Redis is not trusted (decision 25). So each message carries a digest keyed with a secret
 * that instances share and Redis does not know.
 */
export class SharedIds {
  readonly #redis: Redis;
  readonly #digest: Digest;

  constructor(redis: Redis, digest: Digest) {
    this.#redis = redis;
    this.#digest = digest;
  }

  tell(pairs: readonly MeantActivity[]): void {
    for (let n = 0; n < pairs.length; n += maxPairs) {
      const texts = pairs.slice(n, n + maxPairs).flat();
      this.#redis.publish(kind, this.#proofOf(texts), ...texts);
    }
  }

  /** Calls `listener` with the pairs that other instances look up. */
  listen(listener: (pairs: readonly MeantActivity[]) => void): void {
    this.#redis.on(kind, (proof = '', ...texts) => {
      if (!isEqual(proof, this.#proofOf(texts))) return;
      const pairs: unknown[] = [];
      for (let n = 0; n < texts.length; n += 2) pairs.push(texts.slice(n, n + 2));
      listener(pairs.filter(isMeantActivity));
    });
  }

  #proofOf(texts: readonly string[]): string {
    return this.#digest('ids', texts.join(' '));
  }
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

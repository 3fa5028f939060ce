/**
 * Has the instances tell each other which activities ids mean, so that one lookup is enough for all that run.
 */
import { timingSafeEqual } from 'node:crypto';
import type { Digest } from '../redis/digests.ts';
import type { Redis } from '../redis/redis.ts';
import { isMeantActivity, type MeantActivity } from './known-ids.ts';

const kind = 'id';

/**
 * What is learned so is kept for good, and Redis is not trusted (decision 25): each message carries a digest that is keyed with
 * what instances share and Redis does not know.
 */
export class SharedIds {
  readonly #redis: Redis;
  readonly #digest: Digest;

  constructor(redis: Redis, digest: Digest) {
    this.#redis = redis;
    this.#digest = digest;
  }

  tell(pairs: readonly MeantActivity[]): void {
    for (const pair of pairs) this.#redis.publish(kind, ...pair, this.#proofOf(pair));
  }

  /** Has `listener` told what other instances have looked up. */
  listen(listener: (pair: MeantActivity) => void): void {
    this.#redis.on(kind, (asked = '', activity = '', proof = '') => {
      const pair: MeantActivity = [asked, activity];
      if (isMeantActivity(pair) && isEqual(proof, this.#proofOf(pair))) listener(pair);
    });
  }

  #proofOf(pair: MeantActivity): string {
    return this.#digest('id', pair.join(' '));
  }
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

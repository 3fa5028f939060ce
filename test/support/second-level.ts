/**
 * What an instance has to do with shared pages, without the instance.
 */
import { Generations } from '../../src/cache/generations.ts';
import { RedisPageKeys } from '../../src/cache/redis/redis-page-keys.ts';
import { RedisSecondLevel } from '../../src/cache/redis/redis-second-level.ts';
import type { Clock } from '../../src/clock.ts';
import { parseRedisUrl } from '../../src/config/redis-url.ts';
import { digestWith } from '../../src/redis/digests.ts';
import { Redis } from '../../src/redis/redis.ts';

/** Keys begin with `t:1:{<version>|v2|`. */
export function joinRedis(url: string, clock: Clock, { teams = ['team'], timeoutMs = 2_000 } = {}) {
  const address = parseRedisUrl(url);
  if (!address) throw new Error('no address');
  const redis = new Redis(address, { timeoutMs, keyPrefix: 't:' }, clock, { changed: () => {}, asked: () => {} });
  const generations = new Generations(100, clock);
  const life = { staleIfErrorSeconds: 1_000, maxFreshSeconds: 1_000 };
  const keys = new RedisPageKeys(
    { key: (name) => redis.key(name), digest: digestWith(() => undefined), clock },
    { namespace: 'v2', ...life },
  );
  const secondLevel = new RedisSecondLevel(
    {
      redis,
      generations,
      clock,
      keys,
      keyRing: undefined,
      onUnreadable: () => {},
      isTeam: (name) => teams.includes(name),
    },
    { ...life, notFoundSeconds: 60, maxPageBytes: 10_000, maxWaitMs: 1_000 },
  );
  return { redis, generations, secondLevel };
}

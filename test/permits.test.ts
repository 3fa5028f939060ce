/**
 * Permits of one instance, and those shared through a real Redis, pass the same suite.
 */
import { systemClock } from '../src/clock.ts';
import { parseRedisUrl } from '../src/config/redis-url.ts';
import { DayBudget } from '../src/quota/day-budget.ts';
import { LocalPermits } from '../src/quota/local-permits.ts';
import { RedisPermits } from '../src/quota/redis-permits.ts';
import { SecondLimit } from '../src/quota/second-limit.ts';
import { SharedQuota } from '../src/quota/shared-quota.ts';
import { Redis } from '../src/redis/redis.ts';
import { perSecond, testPermits } from './conformance/permits.ts';
import { FakeClock } from './support/clock.ts';
import { until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

testPermits('local', async () => {
  const clock = new FakeClock();
  return {
    permits: new LocalPermits({ clock, second: new SecondLimit(perSecond) }),
    clock,
    pass: (ms) => clock.pass(ms),
    close: async () => {},
  };
});

testPermits('shared', async () => {
  const server = await RedisServer.start();
  const address = parseRedisUrl(server.url);
  if (!address) throw new Error('no address');
  const options = { timeoutMs: 2_000, keyPrefix: 'sendgate:' };
  const redis = new Redis(address, options, systemClock, { changed: () => {}, asked: () => {} });
  await until(() => redis.isUp, 'Redis is up');
  // As if Redis had been up for long: no earlier call can count.
  await server.ask((client) => client.hset(redis.key('{quota}:state'), 'since', '1'));
  const events = { passed: () => {}, teamSpent: () => {}, teamRefused: () => {} };
  const parts = new Map([['a', { part: 10_000, cap: 10_000, isWhole: true }]]);
  const day = new DayBudget({ parts, events, clock: systemClock, kept: undefined }, { perDay: 10_000, reserve: 0 });
  const shared = new SharedQuota(redis, 10_000, parts);
  return {
    permits: new RedisPermits({ clock: systemClock, second: new SecondLimit(perSecond), day, shared }),
    clock: systemClock,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    close: async () => {
      await redis.close();
      await server.stop();
    },
  };
});

/**
 * Every second level passes the suite of the seam: Redis, its in-memory double, and none.
 */
import { Generations } from '../src/cache/generations.ts';
import { noSecondLevel } from '../src/cache/second-level.ts';
import { secondLevelSuite } from './conformance/second-level.ts';
import { ForwardClock } from './support/clock.ts';
import { until } from './support/harness.ts';
import { MemorySecondLevel, SharedMemory } from './support/memory-second-level.ts';
import { RedisServer } from './support/redis.ts';
import { joinRedis } from './support/second-level.ts';

const clock = new ForwardClock();

secondLevelSuite(
  'Redis',
  clock,
  async () => {
    const server = await RedisServer.start();
    const open: ReturnType<typeof joinRedis>['redis'][] = [];
    return {
      join: async () => {
        const { redis, ...instance } = joinRedis(server.url, clock);
        open.push(redis);
        await until(() => redis.isUp, 'it is there');
        return instance;
      },
      breakDown: () => server.kill(),
      stop: async () => {
        for (const redis of open) await redis.close();
        await server.stop();
      },
    };
  },
  { remembers: true },
);

secondLevelSuite(
  'A second level in memory',
  clock,
  async () => {
    const shared = new SharedMemory(clock);
    return {
      join: async () => {
        const generations = new Generations(100, clock);
        return { secondLevel: new MemorySecondLevel(shared, generations), generations };
      },
      stop: async () => {},
    };
  },
  { remembers: true },
);

secondLevelSuite(
  'No second level',
  clock,
  async () => ({
    join: async () => ({ secondLevel: noSecondLevel, generations: new Generations(100, clock) }),
    stop: async () => {},
  }),
  { remembers: false },
);

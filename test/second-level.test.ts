/**
 * Every second level passes the suite of the seam: Redis, the disk, a double in memory, and none.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Generations } from '../src/cache/generations.ts';
import { noSecondLevel } from '../src/cache/second-level.ts';
import { secondLevelSuite } from './conformance/second-level.ts';
import { ForwardClock } from './support/clock.ts';
import { openDisk } from './support/disk.ts';
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
  { remembers: true, coordinates: true },
);

/** Only one process at a time has the directory: for an instance to ask after another one is a restart. */
secondLevelSuite(
  'The disk, over restarts',
  clock,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sendgate-disk-'));
    let running = { id: 0, disk: openDisk(directory, clock) };
    let last = 0;
    const restartFor = async (id: number) => {
      if (id === running.id) return running.disk.secondLevel;
      await running.disk.store.close();
      running = { id, disk: openDisk(directory, clock) };
      return running.disk.secondLevel;
    };
    const purged: ((campaign: string | undefined) => void)[] = [];
    return {
      join: async () => {
        const id = last++;
        let { generations } = running.disk;
        const run = async () => {
          const secondLevel = await restartFor(id);
          generations = running.disk.generations;
          return secondLevel;
        };
        return {
          get generations() {
            return generations;
          },
          secondLevel: {
            isDoubtful: () => running.disk.secondLevel.isDoubtful(),
            confirm: async (walk) => (await run()).confirm(walk),
            look: async (page, wanted) => (await run()).look(page, wanted),
            purge: async (campaign) => {
              const secondLevel = await run();
              secondLevel.onPurge((one) => purged.forEach((tell) => void tell(one)));
              return secondLevel.purge(campaign);
            },
            onPurge: (listener) => void purged.push(listener),
          },
        };
      },
      breakDown: async () => {
        await running.disk.store.close();
        rmSync(directory, { recursive: true, maxRetries: 10 });
        writeFileSync(directory, 'no directory');
      },
      stop: () => running.disk.store.close(),
    };
  },
  { remembers: true, coordinates: false },
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
  { remembers: true, coordinates: true },
);

secondLevelSuite(
  'No second level',
  clock,
  async () => ({
    join: async () => ({ secondLevel: noSecondLevel, generations: new Generations(100, clock) }),
    stop: async () => {},
  }),
  { remembers: false, coordinates: false },
);

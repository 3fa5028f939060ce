/**
 * Pages on the disk, without a Sendgate.
 */
import { join } from 'node:path';
import { DiskSecondLevel } from '../../src/cache/disk/disk-second-level.ts';
import { PageStore } from '../../src/cache/disk/page-store.ts';
import { Generations } from '../../src/cache/generations.ts';
import type { Clock } from '../../src/clock.ts';
import { Availability } from '../../src/storage/availability.ts';
import { type Files, FilesOnDisk } from '../../src/storage/files.ts';
import { FilesInLanes, Lanes } from '../../src/storage/lanes.ts';
import { type SealingKey, sealingKey } from '../../src/storage/sealing.ts';

interface Options {
  readonly maxBytes?: number;
  readonly keys?: readonly SealingKey[];
  readonly namespace?: string;
  readonly files?: Files;
}

/** What one process has of the directory, from its start on. */
export function openDisk(directory: string, clock: Clock, options: Options = {}) {
  const { maxBytes = 16 * 1024 * 1024, keys = [], namespace = 'v2' } = options;
  const told: string[] = [];
  const lanes = new Lanes(clock);
  const generations = new Generations(100, clock);
  const availability = new Availability(clock, {
    unavailable: (code) => told.push(`unavailable ${code}`),
    available: () => told.push('available'),
  });
  const parts = {
    ...{ clock, lanes, generations, availability, keys: () => keys },
    files: new FilesInLanes(options.files ?? new FilesOnDisk(directory, 'pages'), lanes),
    onUnreadable: (why: string) => told.push(`unreadable ${why}`),
    onForeign: (files: number) => told.push(`foreign ${files}`),
    onOperation: () => {},
  };
  const store = new PageStore(parts, { maxBytes, maxFileBytes: 100_000, lifeMs: 2_000_000 });
  store.start();
  const secondLevel = new DiskSecondLevel(
    { ...parts, store },
    { namespace, maxFreshSeconds: 1_000, staleIfErrorSeconds: 1_000, notFoundSeconds: 60, maxPageBytes: 10_000 },
  );
  return { secondLevel, generations, store, availability, told, pages: join(directory, 'pages') };
}

export const keyOf = (byte: number) => sealingKey(Buffer.alloc(32, byte));

/**
 * Builds what survives a restart on this machine: the directory, the state file in it, and pages where there is no Redis.
 */
import { join, resolve } from 'node:path';
import { DiskSecondLevel } from '../cache/disk/disk-second-level.ts';
import { PageStore, type PageStoreOptions } from '../cache/disk/page-store.ts';
import { removePages } from '../cache/disk/scan.ts';
import type { Generations } from '../cache/generations.ts';
import { noSecondLevel, type SecondLevel } from '../cache/second-level.ts';
import { type Clock, onceAMinute, settlesWithin } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit, EventFields } from '../events.ts';
import { Availability } from '../storage/availability.ts';
import { openDirectory } from '../storage/directory.ts';
import { FilesOnDisk } from '../storage/files.ts';
import { keepLock } from '../storage/kept-lock.ts';
import type { KeyRing } from '../storage/key-ring.ts';
import { FilesInLanes, Lanes } from '../storage/lanes.ts';
import { StateFile, type StateFileEvents, type StateFileOptions } from '../storage/state-file.ts';
import { secondLevelOptions } from './second-level-options.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly stop: AbortSignal | undefined;
}

export interface BuiltSecondLevel {
  readonly level: SecondLevel;
  reconfigure(config: Config): void;
}

export interface BuiltStorage {
  readonly stateFile: StateFile;
  readonly state: 'none' | 'up' | 'down';
  readonly bytes: number;
  readonly pages: number;
  /** Builds the second level of pages; undefined while storage is off. */
  buildPages(generations: Generations, keyRing: KeyRing | undefined): BuiltSecondLevel | undefined;
  /** Removes the pages of a time without Redis, which would not be purged. */
  removePages(): void;
  /** Writes what waits to be written, and lets another process have the directory. */
  close(): Promise<void>;
}

/** Time to write what waits at a stop: it is little, unless the disk hangs. */
const closeMs = 1_000;
/** What a stop takes beside the drain, at most: probes in flight (`run.ts`), and what waits to be written. A restart waits for both. */
const stopMs = 250 + closeMs;
/** Room for Brotli's worst case and a header with a cursor. */
const fileOverheadBytes = 64 * 1024;

/**
 * Opens the directory. What goes wrong is reported and costs what would survive a restart, never the start. Rejects with the reason
 * of `stop` if it aborts while another process uses the directory.
 */
export async function buildStorage(config: Config, { clock, emit, stop }: Parts): Promise<BuiltStorage> {
  const { storage, quota, server } = config;
  if (quota.stateFile !== '') emit('quota.state_file_deprecated', { file: quota.stateFile });
  if (storage.directory === '') return withoutDirectory('none', buildStateFile(quota.stateFile, emit), clock);
  const directory = resolve(storage.directory);
  const file = join(directory, 'state.json');
  const opened = await openDirectory(directory, server.drainTimeoutMs + stopMs, stop);
  if (opened.kind === 'unusable') {
    const { code } = opened;
    emit('storage.unavailable', { directory, code });
    // The day's calls that were made count nevertheless.
    const stateFile = buildStateFile(file, emit, { before: quota.stateFile, isReadOnly: true });
    emit('state.unwritable', { code, file });
    return withoutDirectory('down', stateFile, clock, { level: unusable, reconfigure: () => {} });
  }
  if (opened.openMode !== undefined) emit('storage.open_to_others', { directory, mode: opened.openMode });
  const lanes = new Lanes(clock);
  const availability = new Availability(clock, lanes, {
    unavailable: (code) => emit('storage.unavailable', { directory, code }),
    available: () => emit('storage.available', { directory }),
  });
  let store: PageStore | undefined;
  // Outside the lanes: calls wait for it, and it runs one operation at a time.
  const stateFile = buildStateFile(file, emit, {
    ...{ before: quota.stateFile, files: new FilesOnDisk(directory), clock },
    makeRoom: async () => (await store?.makeRoom()) ?? false,
  });
  const files = new FilesInLanes(new FilesOnDisk(directory, 'pages'), lanes);
  let isReleased = false;
  const leave = () => {
    isReleased = true;
    store?.release();
    stateFile.close();
  };
  const release = keepLock(directory, opened.lock, clock, () => {
    leave();
    availability.end('in-use');
    emit('state.unwritable', { code: 'in-use', file });
  });
  return {
    stateFile,
    get state() {
      return availability.isUp && stateFile.isWritable ? 'up' : 'down';
    },
    get bytes() {
      return store?.bytes ?? 0;
    },
    get pages() {
      return store?.pages ?? 0;
    },
    buildPages: (generations, keyRing) => {
      const parts = { files, lanes, generations, clock, availability, ...pageEvents(directory, clock, emit) };
      const built = new PageStore({ ...parts, keys: () => keyRing?.keys ?? [] }, storeOptions(config));
      store = built;
      built.start();
      const level = new DiskSecondLevel({ ...parts, store: built }, secondLevelOptions(config));
      return {
        level,
        reconfigure: (present) => {
          built.reconfigure(storeOptions(present));
          level.reconfigure(secondLevelOptions(present));
        },
      };
    },
    removePages: () => void removePages(files, () => !isReleased).catch(() => {}), // What cannot be removed now is at the next start.
    close: async () => {
      await settlesWithin(clock, closeMs, Promise.all([store?.close(), stateFile.written()]));
      leave();
      release();
    },
  };
}

/** Pages that are there may be served after the next start: no purge is complete. */
const unusable: SecondLevel = { ...noSecondLevel, purge: () => Promise.resolve(false) };

const withoutDirectory = (
  state: 'none' | 'down',
  stateFile: StateFile,
  clock: Clock,
  pages?: BuiltSecondLevel,
): BuiltStorage => ({
  ...{ state, stateFile, bytes: 0, pages: 0 },
  buildPages: () => pages,
  removePages: () => {},
  close: async () => {
    await settlesWithin(clock, closeMs, stateFile.written());
    stateFile.close();
  },
});

function buildStateFile(file: string, emit: Emit, options: StateFileOptions = {}): StateFile {
  const events: StateFileEvents = {
    unreadable: () => emit('state.unreadable', { file }),
    unwritable: (code) => emit('state.unwritable', { code, file }),
    writable: () => emit('state.writable', { file }),
  };
  return new StateFile(file, events, options);
}

function pageEvents(directory: string, clock: Clock, emit: Emit) {
  type Reason = EventFields['storage.page_unreadable']['reason'];
  return {
    onUnreadable: onceAMinute<Reason>(clock, (reason) => emit('storage.page_unreadable', { reason })),
    onForeign: (files: number) => emit('storage.foreign_files', { directory, files }),
    onOperation: (operation: string, outcome: string) => emit('storage.asked', { operation, outcome }),
  };
}

function storeOptions(config: Config): PageStoreOptions {
  const { maxFreshSeconds, staleIfErrorSeconds, maxPageBytes } = secondLevelOptions(config);
  return {
    maxBytes: config.storage.maxBytes,
    maxFileBytes: maxPageBytes + fileOverheadBytes,
    lifeMs: (maxFreshSeconds + staleIfErrorSeconds) * 1000,
  };
}

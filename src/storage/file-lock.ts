/**
 * A lock between processes that share a file: a lock file beside it, touched every second by its holder.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  futimesSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
} from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Age at which a lock may be broken: earlier versions hold one for up to 58 seconds without touching it. */
const staleMs = 60_000;
const touchEveryMs = 1_000;
/** And only if it stays untouched for this long while watched: a clock set forward makes every lock look old. */
const watchedMs = 3_000;
/** Tolerated difference between the clocks of a machine and a mounted volume. */
const skewMs = 5_000;
const pollMs = 50;

/** Acquires the lock within `forMs` milliseconds. @returns its release, or undefined if it could not be acquired */
export async function lock(path: string, forMs: number): Promise<(() => void) | undefined> {
  const giveUpAt = performance.now() + forMs;
  let seen: string | undefined;
  let seenAt = 0;
  for (;;) {
    const held = tryHold(path);
    if (held !== 'taken') return held;
    const now = performance.now();
    const found = look(path);
    if (found && found.version !== seen) [seen, seenAt] = [found.version, now];
    if (found?.isOld && now - seenAt >= watchedMs) breakLock(path, found.version);
    // An old lock is watched for the full time, even if `forMs` is shorter.
    if (now > giveUpAt + (found?.isOld ? watchedMs + touchEveryMs : 0)) return undefined;
    await delay(pollMs);
  }
}

/** @returns undefined if the lock file cannot be created */
function tryHold(path: string): (() => void) | 'taken' | undefined {
  try {
    return hold(path, openSync(path, 'wx', 0o600));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? 'taken' : undefined;
  }
}

function hold(path: string, file: number): () => void {
  const touch = setInterval(() => {
    try {
      futimesSync(file, new Date(), new Date());
    } catch {
      // Retried in a second.
    }
  }, touchEveryMs);
  return () => {
    clearInterval(touch);
    try {
      // An open file keeps its inode number: a different one belongs to another process's lock.
      if (statSync(path).ino === fstatSync(file).ino) rmSync(path, { force: true });
    } catch {
      // Another process broke the lock.
    }
    closeSync(file);
  };
}

/** Identifies a lock and its last touch: a new lock or a touch changes the version. */
export const versionOf = ({ ino, mtimeMs }: Stats) => `${ino}-${Math.floor(mtimeMs)}`;

function look(path: string): { readonly version: string; readonly isOld: boolean } | undefined {
  try {
    const stats = statSync(path);
    const ageMs = Date.now() - stats.mtimeMs;
    // Acquired before the clock was set back: restart its age from now.
    if (ageMs < -skewMs) utimesSync(path, new Date(), new Date());
    return { version: versionOf(stats), isOld: ageMs >= staleMs };
  } catch {
    return undefined; // Released.
  }
}

/**
 * Removes the lock if it is still the version seen. Two processes that find it stale both get here, perhaps after the first
 * has acquired a new lock. So one process claims the current file by a hard link under a name that only one can create, and
 * only then checks its version.
 */
export function breakLock(path: string, version: string): void {
  const claim = `${path}.${version}`;
  try {
    take(path, claim);
  } catch {
    // Another process is breaking the lock, or died while doing so.
    if (isLeft(claim)) rmSync(claim, { force: true });
    return;
  }
  try {
    if (versionOf(statSync(claim)) === version) rmSync(path, { force: true });
  } finally {
    rmSync(claim, { force: true });
  }
}

function take(path: string, claim: string): void {
  try {
    linkSync(path, claim);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // Some file systems lack hard links; of concurrent renames, only one succeeds.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code) || existsSync(claim)) throw error;
    renameSync(path, claim);
  }
}

/** Whether a claim was left behind. Creating a link updates the file's ctime. */
function isLeft(claim: string): boolean {
  try {
    return Date.now() - statSync(claim).ctimeMs >= staleMs;
  } catch {
    return false;
  }
}

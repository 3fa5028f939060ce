/**
 * A lock between processes that share a file: a file beside it, touched every second by its holder.
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

/** A lock of this age may be broken: earlier versions hold one for up to 58 seconds, and never touch it. */
const staleMs = 60_000;
const touchEveryMs = 1_000;
/** And only if it was not touched for this long while we watched: a clock that was set forward makes every lock look old. */
const watchedMs = 3_000;
/** The clocks of a machine and of a volume that it mounts may differ by this. */
const skewMs = 5_000;
const pollMs = 50;

/** @returns the release, or undefined when the lock is not to be had in that time */
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
    // An old lock is watched to the end, however short `forMs` is.
    if (now > giveUpAt + (found?.isOld ? watchedMs + touchEveryMs : 0)) return undefined;
    await delay(pollMs);
  }
}

/** @returns undefined when there can be no lock there */
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
      // It is touched again in a second.
    }
  }, touchEveryMs);
  return () => {
    clearInterval(touch);
    try {
      // While it is open no other file has its number: another one there is another process's lock.
      if (statSync(path).ino === fstatSync(file).ino) rmSync(path, { force: true });
    } catch {
      // Another process has broken it.
    }
    closeSync(file);
  };
}

/** Which lock this is, in which state: another one, or the same once it was touched, has another version. */
const versionOf = ({ ino, mtimeMs }: Stats) => `${ino}-${Math.floor(mtimeMs)}`;

function look(path: string): { readonly version: string; readonly isOld: boolean } | undefined {
  try {
    const stats = statSync(path);
    const ageMs = Date.now() - stats.mtimeMs;
    // Taken before the clock was set back: it is as old as now, and goes stale from here on.
    if (ageMs < -skewMs) utimesSync(path, new Date(), new Date());
    return { version: versionOf(stats), isOld: ageMs >= staleMs };
  } catch {
    return undefined; // It was released.
  }
}

/**
 * Removes the lock, if it is still the one that was seen. Two who find it stale both come here, the second perhaps when the first
 * has a new one: a link takes hold of what is there now, by a name that one of them can have, and only then is it looked at.
 */
export function breakLock(path: string, version: string): void {
  const claim = `${path}.${version}`;
  try {
    take(path, claim);
  } catch {
    // Somebody else is at it, or has died at it.
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
    // Some file systems have no links: there, one of those who rename succeeds.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code) || existsSync(claim)) throw error;
    renameSync(path, claim);
  }
}

/** The time of a link is that of the change to what it names. */
function isLeft(claim: string): boolean {
  try {
    return Date.now() - statSync(claim).ctimeMs >= staleMs;
  } catch {
    return false;
  }
}

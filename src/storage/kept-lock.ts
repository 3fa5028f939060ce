/**
 * Keeps the lock of a directory that may be removed, with the lock in it, and created again.
 */
import type { Clock } from '../clock.ts';
import { type HeldLock, lockDirectory } from './socket-lock.ts';

const checkEveryMs = 60_000;

/**
 * Checks once a minute whether the lock is there, and acquires it again if it is not. Returns its release.
 *
 * @param onTaken called if another process has acquired it meanwhile: the directory is that one's
 */
export function keepLock(directory: string, first: HeldLock, clock: Clock, onTaken: () => void): () => void {
  let lock = first;
  let isReleased = false;
  let cancel = () => {};
  const checkLater = () => {
    cancel = clock.after(checkEveryMs, () => void check());
  };
  const check = async () => {
    if (!lock.isLost()) return checkLater();
    // Where there is no directory now, there may be one in a minute.
    const acquired = await lockDirectory(directory, 0).catch(() => undefined);
    if (isReleased) return acquired?.kind === 'held' ? acquired.release() : undefined;
    if (acquired?.kind === 'taken') return onTaken();
    if (acquired) {
      lock.release();
      lock = acquired;
    }
    checkLater();
  };
  checkLater();
  return () => {
    isReleased = true;
    cancel();
    lock.release();
  };
}

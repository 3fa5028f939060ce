/**
 * The directory of what survives a restart (`storage.directory`): creates it and locks it for this process.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from './files.ts';
import { type HeldLock, lockDirectory } from './socket-lock.ts';
import { openModeOf } from './trial.ts';

export type StorageDirectory =
  | {
      readonly kind: 'ready';
      /** Its permissions, if others than its owner have some. */
      readonly openMode: string | undefined;
      readonly lock: HeldLock;
    }
  /** @property code Node's code of the failure, or `in-use` by another process */
  | { readonly kind: 'unusable'; readonly code: string };

/**
 * Rejects only with the reason of `stop`, which ends the wait.
 *
 * @param waitMs how long another process may go on using it
 */
export async function openDirectory(path: string, waitMs: number, stop?: AbortSignal): Promise<StorageDirectory> {
  try {
    createDirectory(path);
    const openMode = openModeOf(statSync(path));
    const lock = await lockDirectory(path, waitMs, stop);
    if (lock.kind === 'taken') return { kind: 'unusable', code: 'in-use' };
    return { kind: 'ready', openMode, lock };
  } catch (error) {
    stop?.throwIfAborted();
    const code = codeOf(error) ?? 'unknown';
    // A file is there, but no directory.
    return { kind: 'unusable', code: code === 'EEXIST' ? 'ENOTDIR' : code };
  }
}

/** With its parents. Node's own `recursive` never ends where nothing can be created below a directory that exists, as in `/proc`. */
function createDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
    createDirectory(dirname(path));
    createDirectory(path);
  }
}

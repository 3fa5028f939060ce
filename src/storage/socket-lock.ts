/**
 * A lock between processes that use one directory: a Unix socket in it, on which its holder listens. It ends with its holder,
 * however that ends, and processes that wait for it are connected, so that they see it end.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, linkSync, openSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { platform } from 'node:process';
import { addAbortSignal } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { breakLock, versionOf } from './file-lock.ts';
import { codeOf } from './files.ts';

/** Longest path of a socket, on every system, with room for a temporary name. Node cuts a longer one off. */
const maxPathBytes = 94;
/** Between two tries while another process replaces a lock. */
const pollMs = 20;
/** The lock of a process that has ended takes no longer to replace. */
const replacedWithinMs = 1_000;

export interface HeldLock {
  readonly kind: 'held';
  /** Whether the lock was removed, or another is in its place. */
  isLost(): boolean;
  release(): void;
}

export type DirectoryLock = HeldLock | { readonly kind: 'taken' };

/**
 * Acquires the lock; waits for its holder for up to `forMs` milliseconds.
 *
 * @throws Error with Node's code if there can be no lock in this directory, or the reason of `stop`, which ends the wait
 */
export async function lockDirectory(directory: string, forMs: number, stop?: AbortSignal): Promise<DirectoryLock> {
  const giveUpAt = performance.now() + forMs;
  const { path: short, close } = shortPath(directory);
  const path = `${short}/lock`;
  try {
    for (;;) {
      const release = await tryHold(path);
      if (release) {
        const inode = inodeAt(`${directory}/lock`);
        return {
          kind: 'held',
          isLost: () => isElsewhere(`${directory}/lock`, inode),
          release: () => [release, close].forEach((end) => void end()),
        };
      }
      const leftMs = giveUpAt - performance.now();
      const holder = await connectToHolder(path);
      if (leftMs <= 0 && (holder || leftMs < -replacedWithinMs)) {
        holder?.destroy();
        break;
      }
      if (holder) await holderEnds(holder, leftMs, stop);
      else await delay(pollMs);
      stop?.throwIfAborted();
    }
  } catch (error) {
    close();
    throw error;
  }
  close();
  return { kind: 'taken' };
}

/** Rejects as `lockDirectory` does if there can be no lock in this directory. Leaves the lock itself as it is, held or not. */
export async function tryLock(directory: string): Promise<void> {
  versionAt(`${directory}/lock`);
  await trySocket(directory);
}

/** Rejects if there can be no lock in this directory, under any name. */
export async function trySocket(directory: string): Promise<void> {
  const { path, close } = shortPath(directory);
  try {
    // As long as the lock's own name.
    const release = await tryHold(`${path}/${randomBytes(2).toString('hex')}`);
    release?.();
  } finally {
    close();
  }
}

/** Whether a process holds the lock. Changes nothing. */
export async function isHeld(directory: string): Promise<boolean> {
  const { path, close } = shortPath(directory);
  const socket = connect(`${path}/lock`);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
    close();
  }
}

/** Returns a path of the directory that is short enough for the lock in it, if there is one, and what ends its use. */
function shortPath(directory: string) {
  if (Buffer.byteLength(`${directory}/lock`) <= maxPathBytes) return { path: directory, close: () => {} };
  if (platform !== 'linux') throw Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' });
  const descriptor = openSync(directory, 'r');
  return { path: `/proc/self/fd/${descriptor}`, close: () => closeSync(descriptor) };
}

/**
 * Listens on a new socket and links it to the lock's name, which only one process can: so the lock never is a socket on which nobody
 * listens yet. Returns the lock's release; undefined if there is a lock.
 */
async function tryHold(path: string): Promise<(() => void) | undefined> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => {
    waiting.add(socket.on('error', () => {}).once('close', () => waiting.delete(socket)));
    socket.resume().unref();
  });
  const beside = `${path}.${randomBytes(4).toString('hex')}`;
  server.listen(beside);
  await once(server, 'listening');
  server.unref();
  const version = versionAt(beside);
  try {
    linkSync(beside, path);
  } catch (error) {
    server.close();
    if (codeOf(error) === 'EEXIST') return undefined;
    throw error;
  } finally {
    rmSync(beside, { force: true });
  }
  return () => {
    try {
      if (versionAt(path) === version) rmSync(path, { force: true });
    } catch {} // It is out of reach, or no lock: a stop goes on without it.
    for (const socket of waiting) socket.destroy();
    server.close();
  };
}

/** What connecting says of a process that has ended, or ends meanwhile. */
const ended = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Connects to the holder of the lock. Removes the lock of a process that has ended, and returns undefined. */
async function connectToHolder(path: string): Promise<Socket | undefined> {
  const version = versionAt(path);
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (!ended.has(code) && code !== 'ENOENT') throw error;
    if (code === 'ECONNREFUSED' && version !== undefined) breakLock(path, version);
    return undefined;
  }
}

const inodeAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;

/** Of a directory that is out of reach, the lock may be there. */
function isElsewhere(path: string, inode: number | undefined): boolean {
  try {
    return inodeAt(path) !== inode;
  } catch {
    return false;
  }
}

/** @throws Error for anything that is not a lock: it stays */
function versionAt(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isSocket()) throw Object.assign(new Error('not a lock'), { code: 'ENOTSOCK' });
  return stats && versionOf(stats);
}

/**
 * Resolves when the holder has ended, after `ms` milliseconds, or when `stop` aborts. A holder that is killed before it accepts
 * resets the connection.
 */
async function holderEnds(holder: Socket, ms: number, stop?: AbortSignal): Promise<void> {
  const end = setTimeout(() => holder.destroy(), ms);
  if (stop) addAbortSignal(stop, holder);
  // Not `once`, which rejects with an error.
  await new Promise<void>((resolve) =>
    holder
      .on('error', () => {})
      .on('close', () => resolve())
      .resume(),
  );
  clearTimeout(end);
}

/**
 * Files below one directory, each read and written as a whole.
 */
import { close, constants, fstat, open as openWith, read } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** In the place of a file is something that Sendgate does not write: a directory, a link, a device, or too many bytes. */
export class NotOurs extends Error {
  override readonly name = 'NotOurs';
}

export interface Entry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
}

/** Paths are relative to the directory. Methods reject with Node's errors, whose `code` says why. */
export interface Files {
  /** Returns the content; undefined if there is no such file. Rejects with NotOurs for what Sendgate does not write. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Replaces a file in one step: every reader, whenever the process ends, finds the whole old or the whole new one. */
  write(path: string, content: Buffer): Promise<void>;
  /** Removes a file, if there is one. */
  remove(path: string): Promise<void>;
  /** Removes a directory, if there is one and it is empty. */
  removeDirectory(path: string): Promise<void>;
  /** Returns what is in a directory; nothing if there is no such directory. Rejects with NotOurs for a link below the first. */
  list(path: string): Promise<readonly Entry[]>;
  /** Returns size and time of a file; undefined if there is no such file. */
  stat(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | undefined>;
}

/** Added to the name of a file while it is written. A process that ends meanwhile leaves it. */
export const unfinished = '.new';

/** No link is followed. Nothing waits for the other end of a named pipe, which would keep a thread for ever. */
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
export const readFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
const newFlags = O_WRONLY | O_CREAT | O_EXCL;

/** On file descriptors: Node's `FileHandle` costs as much again as the read, which is on the way of a page out of storage. */
const [openFile, statFile, readFile] = [promisify(openWith), promisify(fstat), promisify(read)];

export class FilesOnDisk implements Files {
  readonly #root: string;
  readonly #directory: string;

  /** @param directory below `root`, created when a file is written; `root` is not: it may be a volume that is not mounted */
  constructor(root: string, directory = '') {
    this.#root = root;
    this.#directory = directory;
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const file = await unlessMissing(openFile(this.#at(path), readFlags));
    if (file === undefined) return undefined;
    try {
      return await contentOf(file, maxBytes);
    } finally {
      close(file, () => {});
    }
  }

  async write(path: string, content: Buffer): Promise<void> {
    const target = this.#at(path);
    const beside = `${target}${unfinished}`;
    try {
      await this.#writeNew(path, beside, content);
      await rename(beside, target);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {});
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await unlessMissing(unlink(this.#at(path)));
  }

  async removeDirectory(path: string): Promise<void> {
    try {
      await unlessMissing(rmdir(this.#at(path)));
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
    }
  }

  async list(path: string): Promise<readonly Entry[]> {
    // Of a link to a directory, the files are not ours.
    if (path !== '' && (await unlessMissing(lstat(this.#at(path))))?.isSymbolicLink()) throw new NotOurs();
    const entries = (await unlessMissing(readdir(this.#at(path), { withFileTypes: true }))) ?? [];
    return entries.map((entry) => ({
      name: entry.name,
      isFile: entry.isFile(),
      isDirectory: entry.isDirectory(),
    }));
  }

  async stat(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | undefined> {
    const stats = await unlessMissing(lstat(this.#at(path)));
    return stats && { bytes: stats.size, modifiedMs: stats.mtimeMs };
  }

  /** No `fsync`: what the kernel has outlives the process, and after a power cut a checksum rejects what is torn. */
  async #writeNew(path: string, beside: string, content: Buffer): Promise<void> {
    const create = () => open(beside, newFlags, 0o600);
    const file = await create().catch(async (error: unknown) => {
      if (codeOf(error) === 'ENOENT') await this.#makeDirectoryOf(path);
      // An earlier process has left it. Whatever it is, nothing is written to it.
      else if (codeOf(error) === 'EEXIST') await unlink(beside);
      else throw error;
      return create();
    });
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  }

  async #makeDirectoryOf(path: string): Promise<void> {
    let made = this.#root;
    const names = join(this.#directory, dirname(path)).split('/');
    for (const name of names.filter((one) => one !== '.')) {
      made = join(made, name);
      await mkdir(made, { mode: 0o700 }).catch(unlessThere);
    }
  }

  #at(path: string): string {
    return join(this.#root, this.#directory, path);
  }
}

/** Returns Node's code of an error, such as ENOSPC. */
export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code;

/** Whether there was no room: on the volume, or for this user. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');

async function contentOf(file: number, maxBytes: number): Promise<Buffer> {
  const stats = await statFile(file);
  if (!stats.isFile() || stats.size > maxBytes) throw new NotOurs();
  const content = Buffer.allocUnsafeSlow(stats.size);
  const { bytesRead } = await readFile(file, content, 0, stats.size, 0);
  return content.subarray(0, bytesRead);
}

function unlessThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

async function unlessMissing<T>(doing: Promise<T>): Promise<T | undefined> {
  try {
    return await doing;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return undefined;
    // A link, or a socket.
    throw code === 'ELOOP' || code === 'ENXIO' ? new NotOurs() : error;
  }
}

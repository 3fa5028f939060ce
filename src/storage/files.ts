/**
 * Files below one folder, written whole and read whole.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Something other than a file of ours is in its place: a folder, a link, a device, or more bytes than we write. */
export class NotOurs extends Error {
  override readonly name = 'NotOurs';
}

export interface Entry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
}

/** Whose a file is by its name: an earlier process can have left files that it was about to rename. */
export type NameKind = 'whole' | 'being-written' | 'left-over';

/**
 * Access to files. Paths are relative to the folder. Methods reject with Node's errors, whose `code` says why; a test passes
 * one that never answers.
 */
export interface Files {
  /** Returns the content; undefined if there is no such file. Rejects with NotOurs for what we cannot have written. */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Writes a file beside it and renames that: whoever reads it, whenever the process ends, finds the whole old or new one. */
  write(path: string, content: Buffer): Promise<void>;
  /** Removes a file, if it is there. */
  remove(path: string): Promise<void>;
  /** Removes a folder, if it is there and empty. */
  removeFolder(path: string): Promise<void>;
  /** Returns what is in a folder; nothing if there is no such folder. */
  list(path: string): Promise<readonly Entry[]>;
  /** Returns size and time of a file; undefined if there is no such file. */
  stat(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | undefined>;
  kindOf(name: string): NameKind;
}

const temporary = /^[\w.-]+\.([0-9a-f]{8})\.new$/;

/** Neither follows links nor waits for the other end of a named pipe, which a thread could do for ever. */
const readFlags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

export class FilesOnDisk implements Files {
  readonly #root: string;
  /** Of this process's temporary files. */
  readonly #token = randomBytes(4).toString('hex');

  constructor(root: string) {
    this.#root = root;
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const file = await unlessMissing(open(this.#at(path), readFlags));
    if (!file) return undefined;
    try {
      return await contentOf(file, maxBytes);
    } finally {
      await file.close();
    }
  }

  async write(path: string, content: Buffer): Promise<void> {
    const target = this.#at(path);
    const beside = `${target}.${this.#token}.new`;
    try {
      await this.#writeNew(beside, content);
      await rename(beside, target);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {});
      throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await unlessMissing(unlink(this.#at(path)));
  }

  async removeFolder(path: string): Promise<void> {
    try {
      await unlessMissing(rmdir(this.#at(path)));
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error;
    }
  }

  async list(path: string): Promise<readonly Entry[]> {
    const entries = (await unlessMissing(readdir(this.#at(path), { withFileTypes: true }))) ?? [];
    return entries.map((entry) => ({
      name: entry.name,
      kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other',
    }));
  }

  async stat(path: string): Promise<{ readonly bytes: number; readonly modifiedMs: number } | undefined> {
    const stats = await unlessMissing(lstat(this.#at(path)));
    return stats && { bytes: stats.size, modifiedMs: stats.mtimeMs };
  }

  kindOf(name: string): NameKind {
    const [, token] = temporary.exec(name) ?? [];
    if (token === undefined) return 'whole';
    return token === this.#token ? 'being-written' : 'left-over';
  }

  /** No `fsync`: what the kernel has taken survives the end of the process; after a power cut a checksum rejects what is torn. */
  async #writeNew(path: string, content: Buffer): Promise<void> {
    const create = () => open(path, 'w', 0o600);
    const file = await create().catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      // Not recursive: a folder that somebody has unmounted or removed is not made anew.
      for (const folder of [this.#root, dirname(path)]) await mkdir(folder, { mode: 0o700 }).catch(unlessThere);
      return create();
    });
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
  }

  #at(path: string): string {
    return join(this.#root, path);
  }
}

/** @returns Node's code of an error, such as ENOSPC */
export const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | undefined)?.code;

async function contentOf(file: FileHandle, maxBytes: number): Promise<Buffer> {
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > maxBytes) throw new NotOurs();
  const content = Buffer.allocUnsafeSlow(stats.size);
  const { bytesRead } = await file.read(content, 0, stats.size, 0);
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
    throw code === 'ELOOP' || code === 'ENXIO' ? new NotOurs() : error;
  }
}

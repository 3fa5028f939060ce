/**
 * Tries whether a file can be read, and replaced. Waits for a disk that hangs without blocking the process.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import { codeOf } from './files.ts';

/** Rejects if the file exists but is unreadable, or is no file, with ENXIO: a pipe that nobody writes would be waited for. */
export async function checkReadable(path: string): Promise<void> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile() && !stats.isDirectory()) throw Object.assign(new Error('no file'), { code: 'ENXIO' });
      // A directory can be opened, but not read.
      await file.read(Buffer.alloc(1));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Writes beside the file, and rejects if the file itself could not be replaced.
 *
 * @param bytes room that there has to be
 */
export async function checkWritable(path: string, bytes: number): Promise<void> {
  // Another process may be trying the same file, and so may this one.
  const trial = `${path}.${randomUUID()}.trial`;
  try {
    await writeThrough(trial, ' '.repeat(bytes));
    await rm(trial);
    await checkReplaceable(path, trial);
  } finally {
    await rm(trial, { force: true });
  }
}

/** Returns the permissions of a file or directory, if others than its owner have some. */
export const openModeOf = ({ mode }: { readonly mode: number }): string | undefined =>
  (mode & 0o077) === 0 ? undefined : (mode & 0o777).toString(8);

/** Detects a file that is itself a mount: it can be written but not replaced, and no hard link can be created beside it. */
async function checkReplaceable(path: string, trial: string): Promise<void> {
  try {
    await link(path, trial);
  } catch (error) {
    if (['EXDEV', 'EBUSY'].includes(codeOf(error) ?? '')) throw error;
  }
}

async function writeThrough(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

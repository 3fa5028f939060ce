/**
 * Reads and writes the token file. A refresh token may work only once: losing the newest one loses the account.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { readText } from '../../config/file-text.ts';
import { parseTokens, type StoredTokens } from './stored-tokens.ts';

/** Temporary file that tokens are written to first. */
const newFile = (path: string) => `${path}.new`;

/** Returns the file's tokens for this application; undefined if there are none or they are unreadable. */
export function readTokens(path: string, clientId: string): StoredTokens | undefined {
  try {
    const stored = parseTokens(readText(path).text);
    return stored?.clientId === clientId ? stored : undefined;
  } catch {
    return undefined;
  }
}

/** Completes the write of a killed process: tokens already on disk beside the file. Call with the lock held. */
export function completeWrite(path: string, clientId: string): void {
  const [left, stored] = [readTokens(newFile(path), clientId), readTokens(path, clientId)];
  if (left && (!stored || left.issuedAt > stored.issuedAt)) moveIntoPlace(path);
}

/** Largest size of the tokens, in bytes. */
const maxBytes = 64 * 1024;

/** @throws if the file exists but is unreadable: it may contain the latest refresh token, and any other may be spent */
export function checkReadable(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** @throws if tokens could not be written; check before a refresh token is spent */
export function checkWritable(path: string): void {
  // A name unique to this process: another may be writing tokens now.
  const trial = `${path}.${process.pid}.trial`;
  try {
    writeThrough(trial, ' '.repeat(maxBytes));
    rmSync(trial);
    checkReplaceable(path, trial);
  } finally {
    rmSync(trial, { force: true });
  }
}

/** Detects a file that is itself a mount: it can be written but not replaced, and no hard link can be created beside it. */
function checkReplaceable(path: string, trial: string): void {
  try {
    linkSync(path, trial);
  } catch (error) {
    if (['EXDEV', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Replaces the whole file, readable by its owner only. On disk when it returns. */
export function writeTokens(path: string, tokens: StoredTokens): void {
  writeThrough(newFile(path), JSON.stringify(tokens));
  moveIntoPlace(path);
}

function moveIntoPlace(path: string): void {
  renameSync(newFile(path), path);
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function writeThrough(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    fchmodSync(file, 0o600);
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

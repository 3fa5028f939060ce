/**
 * The tokens on disk. A refresh token may work only once, so losing the newest one is losing the account.
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
import { parseTokens, type StoredTokens } from './stored-tokens.ts';

/** Where tokens are written before they take the place of others. */
const newFile = (path: string) => `${path}.new`;

/** What the file holds for this application; undefined when there is none, or nothing that can be read. */
export function readTokens(path: string, clientId: string): StoredTokens | undefined {
  try {
    const stored = parseTokens(readFileSync(path, 'utf8'));
    return stored?.clientId === clientId ? stored : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Completes what a process that was killed has begun: tokens that are on disk already, beside the file. Call
 * it with the lock held.
 */
export function completeWrite(path: string, clientId: string): void {
  const [left, stored] = [readTokens(newFile(path), clientId), readTokens(path, clientId)];
  if (left && (!stored || left.issuedAt > stored.issuedAt)) moveIntoPlace(path);
}

/** Bytes that tokens take at most. */
const maxBytes = 64 * 1024;

/** @throws when there is a file that cannot be read: the latest refresh token may be in it, and any other one may be spent */
export function checkReadable(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** @throws when tokens could not be written: to be known before a refresh token is spent */
export function checkWritable(path: string): void {
  // Under a name that is nobody else's: somebody may be writing tokens just now.
  const trial = `${path}.${process.pid}.trial`;
  try {
    writeThrough(trial, ' '.repeat(maxBytes));
    rmSync(trial);
    checkReplaceable(path, trial);
  } finally {
    rmSync(trial, { force: true });
  }
}

/** A file that is mounted by itself can be written, but no other one can take its place: nor can it have a link beside it. */
function checkReplaceable(path: string, trial: string): void {
  try {
    linkSync(path, trial);
  } catch (error) {
    if (['EXDEV', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Replaces the file as a whole, on disk before it returns, readable by its owner alone. */
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

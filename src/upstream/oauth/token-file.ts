/**
 * Reads and writes the token file. A refresh token may work only once: losing the newest one loses the account.
 */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
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

/** Largest size of the tokens, in bytes: room that there has to be before a refresh token is spent. */
export const maxTokenBytes = 64 * 1024;

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

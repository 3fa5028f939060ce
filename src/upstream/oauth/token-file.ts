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
import { z } from 'zod';

const shape = z.object({
  /** The application that they were given to; another one's are of no use. */
  clientId: z.string(),
  refreshToken: z.string().min(1),
  /** The refresh token before it, where the answer that brought this one was no grant: if this one is refused, that one may not be. */
  replaced: z.string().min(1).optional(),
  /** Empty where the answer that brought the refresh token had none that could be used. */
  accessToken: z.string(),
  /** Milliseconds of wall time. */
  issuedAt: z.int(),
  expiresAt: z.int(),
  /** SHA-256 of the configured refresh token with which this chain began; undefined when a person authorized it. */
  beganWith: z.string().optional(),
  /** Another instance has refreshed them: it, or yet another one, may have spent the refresh token by now. */
  borrowed: z.boolean().optional(),
});

export type StoredTokens = z.output<typeof shape>;

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

/** Undefined when the text holds none. */
export function parseTokens(text: string): StoredTokens | undefined {
  try {
    return shape.parse(JSON.parse(text));
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

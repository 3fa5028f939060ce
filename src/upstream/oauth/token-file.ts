/**
 * The tokens on disk. A refresh token may work only once, so losing the newest one is losing the account.
 */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';

const shape = z.object({
  /** The application that they were given to; another one's are of no use. */
  clientId: z.string(),
  refreshToken: z.string().min(1),
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

/** @throws when tokens could not be written: to be known before a refresh token is spent */
export function checkWritable(path: string): void {
  const trial = `${path}.new`;
  writeThrough(trial, ' '.repeat(16_384));
  unlinkSync(trial);
}

/** Replaces the file as a whole, on disk before it returns, readable by its owner alone. */
export function writeTokens(path: string, tokens: StoredTokens): void {
  writeThrough(`${path}.new`, JSON.stringify(tokens));
  renameSync(`${path}.new`, path);
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

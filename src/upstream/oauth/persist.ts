/**
 * Stores tokens in the file, under its lock.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from '../../storage/file-lock.ts';
import { laterThan, type StoredTokens } from './stored-tokens.ts';
import { completeWrite, readTokens, writeTokens } from './token-file.ts';

/** Independent of `timeoutMs`: tokens that are not on disk are lost. */
const storeForMs = 10_000;
const pollMs = 50;
/** Long enough for a running refresh to end, or for a dead one's lock to go stale. */
const storeLockMs = 75_000;

/** Time, injected by tests. */
export interface RefreshTime {
  /** Wall time, in milliseconds. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  /** Upper bound of an order's `timeoutMs`: others wait for the lock. */
  readonly longestCallMs: number;
}

export const realTime: RefreshTime = { now: Date.now, wait: delay, longestCallMs: 10_000 };

/**
 * Writes tokens, and retries on failure: their refresh token is the only one that works, and a briefly full disk must not
 * cost the account.
 */
export async function persist(
  tokenFile: string,
  tokens: StoredTokens,
  { wait }: Pick<RefreshTime, 'wait'> = realTime,
): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += pollMs) {
    try {
      writeTokens(tokenFile, tokens);
      return;
    } catch (error) {
      if (waitedMs >= storeForMs) throw error;
      await wait(pollMs);
    }
  }
}

/** Stores tokens that a person has authorized. Returns whether they were stored. */
export async function storeTokens(tokenFile: string, tokens: StoredTokens): Promise<boolean> {
  const unlock = await lock(`${tokenFile}.lock`, storeLockMs);
  try {
    completeWrite(tokenFile, tokens.clientId);
    const issuedAt = laterThan(readTokens(tokenFile, tokens.clientId), tokens.issuedAt);
    const expiresAt = issuedAt + tokens.expiresAt - tokens.issuedAt;
    await persist(tokenFile, { ...tokens, issuedAt, expiresAt });
    return true;
  } catch {
    return false;
  } finally {
    unlock?.();
  }
}

/** Stores tokens that another instance has refreshed, unless the file has later ones. Returns whether they were stored. */
export async function borrowTokens(tokenFile: string, tokens: StoredTokens, timeoutMs: number): Promise<boolean> {
  const unlock = await lock(`${tokenFile}.lock`, timeoutMs);
  if (!unlock) return false;
  try {
    completeWrite(tokenFile, tokens.clientId);
    const own = readTokens(tokenFile, tokens.clientId);
    if (own && own.issuedAt >= tokens.issuedAt) return false;
    writeTokens(tokenFile, tokens);
    return true;
  } catch {
    return false;
  } finally {
    unlock();
  }
}

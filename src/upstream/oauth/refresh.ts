/**
 * One refresh of the tokens, from lock to disk.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { lock } from '../../storage/file-lock.ts';
import { SharedRefresh, type TokenSharing } from './shared-tokens.ts';
import type { Grant } from './token-answer.ts';
import { GrantError, type OAuthClient, TokenEndpoint } from './token-endpoint.ts';
import {
  checkReadable,
  checkWritable,
  completeWrite,
  readTokens,
  type StoredTokens,
  writeTokens,
} from './token-file.ts';

export interface RefreshOrder extends OAuthClient {
  readonly tokenFile: string;
  /** The configured refresh token, with which the first chain begins. */
  readonly refreshToken?: string | undefined;
  /** Where the tokens of all instances are; undefined where the file is all there is. */
  readonly sharing?: TokenSharing | undefined;
  /** The access token that is to be replaced: if the file holds another one, somebody else has been quicker. */
  readonly replaces?: string | undefined;
  /** The latest tokens that whoever orders it has read from the file: they count where it has none any more. */
  readonly held?: StoredTokens | undefined;
}

/** What came of it. The tokens are in the file. */
export interface RefreshOutcome {
  /** `refused`: a person has to authorize again. */
  readonly outcome: 'renewed' | 'refused' | 'failed';
  /** Out of a closed set; that of a GrantError, `token-file`, `locked`, `redis` or `no-refresh-token`. */
  readonly reason?: string;
}

/** Bounds `timeoutMs`: others wait for the lock meanwhile. */
const longestCallMs = 10_000;
/** Independent of `timeoutMs`: tokens that are not on disk are lost. */
const storeForMs = 10_000;
const pollMs = 50;

/** Refreshes, unless another process has. One at a time for one file: a refresh token may work only once. */
export async function refreshTokens(given: RefreshOrder, now = Date.now): Promise<RefreshOutcome> {
  const order = { ...given, timeoutMs: Math.min(given.timeoutMs, longestCallMs) };
  const { tokenFile, clientId, replaces } = order;
  const unlock = await lock(`${tokenFile}.lock`, order.timeoutMs * 2);
  if (!unlock) return { outcome: 'failed', reason: existsSync(`${tokenFile}.lock`) ? 'locked' : 'token-file' };
  const endpoint = new TokenEndpoint(order);
  const shared = order.sharing && (await SharedRefresh.begin(order.sharing, order.timeoutMs));
  try {
    if (shared === 'locked') return { outcome: 'failed', reason: 'locked' };
    checkReadable(tokenFile);
    completeWrite(tokenFile, clientId);
    const own = readTokens(tokenFile, clientId) ?? (order.held?.clientId === clientId ? order.held : undefined);
    const theirs = await shared?.read();
    const stored = newest(own, theirs, order);
    const isNew = stored !== undefined && ![replaces, ''].includes(stored.accessToken) && stored.expiresAt > now();
    if (isNew && isFrom(order.refreshToken, stored)) {
      if (stored !== own) writeTokens(tokenFile, stored);
      return { outcome: 'renewed' };
    }
    const all = candidates(stored, order.refreshToken);
    // A refresh token that another instance may have spent, if it were used again, could lose the account for all of them.
    const isLatest = !stored?.borrowed || theirs?.refreshToken === stored.refreshToken;
    if (order.sharing && !isLatest && all[0]?.refreshToken === stored.refreshToken) {
      return { outcome: 'failed', reason: 'redis' };
    }
    checkWritable(tokenFile);
    return await tryEach(all, endpoint, order, stored, now, async (tokens) => {
      try {
        await persist(tokenFile, tokens);
      } finally {
        // Also when the disk has not taken them: it is the last place where they may be.
        await shared?.write(tokens, now());
      }
    });
  } catch (error) {
    if (error instanceof GrantError) return { outcome: 'failed', reason: error.reason };
    return { outcome: 'failed', reason: 'token-file' };
  } finally {
    endpoint.close();
    if (shared !== 'locked') await shared?.end();
    unlock();
  }
}

/** The later ones, if they are for this application and go back to the configured refresh token. */
function newest(
  own: StoredTokens | undefined,
  others: StoredTokens | undefined,
  { clientId, refreshToken }: RefreshOrder,
): StoredTokens | undefined {
  if (!others || others.clientId !== clientId || !isFrom(refreshToken, others)) return own;
  return !own || others.issuedAt > own.issuedAt ? others : own;
}

interface Candidate {
  readonly refreshToken: string;
  /** Whether it belongs to the tokens that are stored. */
  readonly isStored: boolean;
  readonly beganWith: string | undefined;
}

/** Whether the configured refresh token, if there is one, is that with which these tokens began. */
export function isFrom(configured: string | undefined, { beganWith }: StoredTokens): boolean {
  return configured === undefined || beganWith === sha256(configured);
}

/** A configured token that has not been used yet comes first: an operator has put it there. */
function candidates(stored: StoredTokens | undefined, configured: string | undefined): Candidate[] {
  const found: Candidate[] = [];
  const digest = configured === undefined ? undefined : sha256(configured);
  if (configured !== undefined && !(stored && isFrom(configured, stored))) {
    found.push({ refreshToken: configured, isStored: false, beganWith: digest });
  }
  // Once it has worked, the file's chain counts as begun with the configured token: that one is not tried any more.
  for (const refreshToken of [stored?.refreshToken, stored?.replaced]) {
    if (stored && refreshToken) {
      found.push({ refreshToken, isStored: true, beganWith: digest ?? stored.beganWith });
    }
  }
  return found;
}

/**
 * Which tokens are the latest is told by when they were issued: on a clock that was set back, those that replace others would
 * be taken for the earlier ones, and a refresh token that is spent for the one to use.
 */
function laterThan(replaced: StoredTokens | undefined, now: number): number {
  return Math.max(now, (replaced?.issuedAt ?? 0) + 1);
}

async function tryEach(
  all: readonly Candidate[],
  endpoint: TokenEndpoint,
  { clientId }: RefreshOrder,
  stored: StoredTokens | undefined,
  now: () => number,
  keep: (tokens: StoredTokens) => Promise<void>,
): Promise<RefreshOutcome> {
  let reason = 'no-refresh-token';
  for (const [index, { refreshToken, beganWith, isStored }] of all.entries()) {
    if (index > 0) await delay(1_000); // The endpoint takes one call a second.
    try {
      const grant = await endpoint.refresh(refreshToken);
      const issuedAt = laterThan(stored, now());
      const tokens = toStored(grant, { clientId, refreshToken, beganWith, issuedAt });
      // Without a new access token the one before goes on to its end, if it is the same person's.
      const kept = isStored && stored ? { accessToken: stored.accessToken, expiresAt: stored.expiresAt } : {};
      await keep(grant.reason === undefined ? tokens : { ...tokens, ...kept });
      return grant.reason === undefined ? { outcome: 'renewed' } : { outcome: 'failed', reason: grant.reason };
    } catch (error) {
      if (!(error instanceof GrantError) || !error.isFinal) throw error;
      reason = error.reason;
    }
  }
  return { outcome: 'refused', reason };
}

/** A refresh that is under way comes to its end, or its lock to that of a dead one. */
const storeLockMs = 75_000;

/** Stores tokens that a person has authorized. Returns whether it could. */
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

/** Stores tokens that another instance has refreshed, unless the file has later ones. Returns whether it did. */
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

/** @param before what the grant was asked with; its refresh token is kept where the grant brings no other one */
export function toStored(
  { accessToken, refreshToken, expiresInSeconds, reason }: Grant,
  before: Pick<StoredTokens, 'clientId' | 'refreshToken' | 'beganWith' | 'issuedAt'>,
): StoredTokens {
  const isOther = refreshToken !== undefined && refreshToken !== before.refreshToken;
  return {
    ...before,
    ...(reason !== undefined && isOther ? { replaced: before.refreshToken } : {}),
    accessToken: accessToken ?? '',
    refreshToken: refreshToken ?? before.refreshToken,
    expiresAt: before.issuedAt + (accessToken === undefined ? 0 : Math.floor(expiresInSeconds * 1000)),
  };
}

/** The old refresh token is spent: a disk that is full for a moment must not cost the account. */
async function persist(tokenFile: string, tokens: StoredTokens): Promise<void> {
  const giveUpAt = performance.now() + storeForMs;
  for (;;) {
    try {
      writeTokens(tokenFile, tokens);
      return;
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await delay(pollMs);
    }
  }
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

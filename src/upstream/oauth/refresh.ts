/**
 * One refresh of the tokens, from lock to disk.
 */
import { existsSync } from 'node:fs';
import { lock } from '../../storage/file-lock.ts';
import { type Candidate, candidates, newest } from './candidates.ts';
import { persist, type RefreshTime, realTime } from './persist.ts';
import { SharedRefresh, type TokenSharing } from './shared-tokens.ts';
import { isFrom, laterThan, type StoredTokens, toStored } from './stored-tokens.ts';
import { GrantError, type OAuthClient, TokenEndpoint } from './token-endpoint.ts';
import { checkReadable, checkWritable, completeWrite, readTokens, writeTokens } from './token-file.ts';

export interface RefreshOrder extends OAuthClient {
  readonly tokenFile: string;
  /** The configured refresh token, with which the first chain begins. */
  readonly refreshToken?: string | undefined;
  /** Where the tokens of all instances are; undefined where the file is all there is. */
  readonly sharing?: TokenSharing | undefined;
  /** The access token that is to be replaced: if the file holds another one, somebody else has been quicker. */
  readonly replaces?: string | undefined;
  /** The latest tokens that the service has read from the file: they count where the file has none any more. */
  readonly held?: StoredTokens | undefined;
}

/** What came of it. The tokens are in the file. */
export interface RefreshOutcome {
  /** `refused`: a person has to authorize again. */
  readonly outcome: 'renewed' | 'refused' | 'failed';
  /** Out of a closed set; that of a GrantError, `token-file`, `locked`, `redis` or `no-refresh-token`. */
  readonly reason?: string;
}

/** The endpoint takes one call a second (vendor's documentation). */
const betweenCallsMs = 1_000;

/** Refreshes, unless another process has. One at a time for one file: a refresh token may work only once. */
export async function refreshTokens(given: RefreshOrder, other: Partial<RefreshTime> = {}): Promise<RefreshOutcome> {
  const time = { ...realTime, ...other };
  const order = { ...given, timeoutMs: Math.min(given.timeoutMs, time.longestCallMs) };
  const { tokenFile, sharing, timeoutMs } = order;
  const unlock = await lock(`${tokenFile}.lock`, timeoutMs * 2);
  if (!unlock) return { outcome: 'failed', reason: existsSync(`${tokenFile}.lock`) ? 'locked' : 'token-file' };
  const endpoint = new TokenEndpoint(order);
  const shared = sharing && (await SharedRefresh.begin(sharing, timeoutMs));
  try {
    if (shared === 'locked') return { outcome: 'failed', reason: 'locked' };
    return await refreshLocked(order, endpoint, shared, time);
  } catch (error) {
    if (error instanceof GrantError) return { outcome: 'failed', reason: error.reason };
    return { outcome: 'failed', reason: 'token-file' };
  } finally {
    endpoint.close();
    if (shared !== 'locked') await shared?.end();
    unlock();
  }
}

/** @throws GrantError, or an error of the token file */
async function refreshLocked(
  order: RefreshOrder,
  endpoint: TokenEndpoint,
  shared: SharedRefresh | undefined,
  time: RefreshTime,
): Promise<RefreshOutcome> {
  const { tokenFile, clientId, refreshToken: configured } = order;
  checkReadable(tokenFile);
  completeWrite(tokenFile, clientId);
  const own = readTokens(tokenFile, clientId) ?? (order.held?.clientId === clientId ? order.held : undefined);
  const theirs = await shared?.read();
  const stored = newest(own, theirs, order);
  if (stored && isRenewed(stored, order, time.now())) {
    if (stored !== own) writeTokens(tokenFile, stored);
    return { outcome: 'renewed' };
  }
  const all = candidates(stored, configured);
  // A refresh token that another instance may have spent, if it were used again, could lose the account for all of them.
  const isLatest = !stored?.borrowed || theirs?.refreshToken === stored.refreshToken;
  if (order.sharing && !isLatest && all[0]?.refreshToken === stored.refreshToken) {
    return { outcome: 'failed', reason: 'redis' };
  }
  // Before a refresh token is spent: the next one has to have a place.
  checkWritable(tokenFile);
  return tryEach(all, endpoint, { clientId, stored, time }, async (tokens) => {
    try {
      await persist(tokenFile, tokens, time);
    } finally {
      // Also when the disk has not taken them: it is the last place where they may be.
      await shared?.write(tokens, time.now());
    }
  });
}

/** Whether somebody else has refreshed the tokens. */
function isRenewed(stored: StoredTokens, { replaces, refreshToken }: RefreshOrder, nowMs: number): boolean {
  const isOther = stored.accessToken !== '' && stored.accessToken !== replaces;
  return isOther && stored.expiresAt > nowMs && isFrom(refreshToken, stored);
}

interface Before {
  readonly clientId: string;
  readonly stored: StoredTokens | undefined;
  readonly time: RefreshTime;
}

type Keep = (tokens: StoredTokens) => Promise<void>;

/** Sends one refresh token after the other, until one is not refused for good. @throws GrantError, or what `keep` throws */
async function tryEach(
  all: readonly Candidate[],
  endpoint: TokenEndpoint,
  before: Before,
  keep: Keep,
): Promise<RefreshOutcome> {
  let reason = 'no-refresh-token';
  for (const [index, candidate] of all.entries()) {
    if (index > 0) await before.time.wait(betweenCallsMs);
    try {
      return await tryOne(candidate, endpoint, before, keep);
    } catch (error) {
      if (!(error instanceof GrantError) || !error.isFinal) throw error;
      reason = error.reason;
    }
  }
  return { outcome: 'refused', reason };
}

async function tryOne(
  { refreshToken, beganWith, isStored }: Candidate,
  endpoint: TokenEndpoint,
  { clientId, stored, time }: Before,
  keep: Keep,
): Promise<RefreshOutcome> {
  const grant = await endpoint.refresh(refreshToken);
  const issuedAt = laterThan(stored, time.now());
  const tokens = toStored(grant, { clientId, refreshToken, beganWith, issuedAt });
  const { reason } = grant;
  if (reason === undefined) {
    await keep(tokens);
    return { outcome: 'renewed' };
  }
  // Without a new access token the one before goes on to its end, if it is the same person's.
  const kept = isStored && stored ? { accessToken: stored.accessToken, expiresAt: stored.expiresAt } : {};
  await keep({ ...tokens, ...kept });
  return { outcome: 'failed', reason };
}

/**
 * Refreshes the tokens once, from lock to disk.
 */
import { existsSync } from 'node:fs';
import { lock } from '../../storage/file-lock.ts';
import { checkReadable, checkWritable } from '../../storage/trial.ts';
import { type Candidate, candidates, newest } from './candidates.ts';
import { persist, type RefreshTime, realTime } from './persist.ts';
import { SharedRefresh, type TokenSharing } from './shared-tokens.ts';
import { isFrom, laterThan, type StoredTokens, toStored } from './stored-tokens.ts';
import { GrantError, type OAuthClient, TokenEndpoint } from './token-endpoint.ts';
import { completeWrite, maxTokenBytes, readTokens, writeTokens } from './token-file.ts';

export interface RefreshOrder extends OAuthClient {
  readonly tokenFile: string;
  /** The configured refresh token, which starts the first chain. */
  readonly refreshToken?: string | undefined;
  /** Where instances share their tokens; undefined without sharing. */
  readonly sharing?: TokenSharing | undefined;
  /** The access token to replace. If the file has another one, another process has already refreshed. */
  readonly replaces?: string | undefined;
  /** The latest tokens that the service has read from the file, used if the file has none any more. */
  readonly held?: StoredTokens | undefined;
}

/** Outcome of a refresh. The tokens are in the file. */
export interface RefreshOutcome {
  /** `refused`: a person has to authorize again. */
  readonly outcome: 'renewed' | 'refused' | 'failed';
  /** From a closed set: that of a GrantError, `token-file`, `locked`, `redis` or `no-refresh-token`. */
  readonly reason?: string;
}

/** The endpoint accepts one call a second (vendor's documentation). */
const betweenCallsMs = 1_000;

/** Refreshes, unless another process has already. One at a time per file: a refresh token may work only once. */
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
  haveOthersBeenAsked = false,
): Promise<RefreshOutcome> {
  const { tokenFile, clientId, refreshToken: configured } = order;
  // An unreadable file may contain the latest refresh token, and any other may be spent.
  await checkReadable(tokenFile);
  completeWrite(tokenFile, clientId);
  const own = readTokens(tokenFile, clientId) ?? (order.held?.clientId === clientId ? order.held : undefined);
  const theirs = await shared?.read();
  const stored = newest(own, theirs, order);
  if (stored && isRenewed(stored, order, time.now())) {
    if (stored !== own) writeTokens(tokenFile, stored);
    return { outcome: 'renewed' };
  }
  const all = candidates(stored, configured);
  // Another instance may have spent this refresh token; using it again could lose the account for all instances.
  const isLatest = !stored?.borrowed || theirs?.refreshToken === stored.refreshToken;
  if (order.sharing && !isLatest && all[0]?.refreshToken === stored.refreshToken) {
    return { outcome: 'failed', reason: 'redis' };
  }
  if (stored?.borrowed && !haveOthersBeenAsked && (await shared?.askForLater(stored, time))) {
    return refreshLocked(order, endpoint, shared, time, true);
  }
  // Check before a refresh token is spent: the next one must be storable.
  await checkWritable(tokenFile, maxTokenBytes);
  return tryEach(all, endpoint, { clientId, stored, time }, async (tokens) => {
    try {
      await persist(tokenFile, tokens, time);
    } finally {
      // Even if the disk failed: Redis is then the last place for the tokens.
      await shared?.write(tokens, time.now());
    }
  });
}

/** Whether another process or instance has refreshed the tokens. */
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

/** Tries refresh tokens in order until one is not refused for good. @throws GrantError, or what `keep` throws */
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
  // Without a new access token, the old one stays in use if it belongs to the same person.
  const kept = isStored && stored ? { accessToken: stored.accessToken, expiresAt: stored.expiresAt } : {};
  await keep({ ...tokens, ...kept });
  return { outcome: 'failed', reason };
}

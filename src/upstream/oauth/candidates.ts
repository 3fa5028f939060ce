/**
 * Lists the refresh tokens to try, in order.
 */
import { isFrom, type StoredTokens, sha256 } from './stored-tokens.ts';

export interface Candidate {
  readonly refreshToken: string;
  /** Whether it belongs to the stored tokens. */
  readonly isStored: boolean;
  readonly beganWith: string | undefined;
}

/** Lists the candidates. An unused configured token comes first: an operator has just set it. */
export function candidates(stored: StoredTokens | undefined, configured: string | undefined): readonly Candidate[] {
  const all: Candidate[] = [];
  const digest = configured === undefined ? undefined : sha256(configured);
  if (configured !== undefined && !(stored && isFrom(configured, stored))) {
    all.push({ refreshToken: configured, isStored: false, beganWith: digest });
  }
  // Once a stored token works, its chain counts as started by the configured token, which is not tried again.
  for (const refreshToken of [stored?.refreshToken, stored?.replaced]) {
    if (stored && refreshToken) all.push({ refreshToken, isStored: true, beganWith: digest ?? stored.beganWith });
  }
  return all;
}

/** Returns the later tokens, among those for this application that descend from the configured refresh token. */
export function newest(
  own: StoredTokens | undefined,
  others: StoredTokens | undefined,
  { clientId, refreshToken }: { readonly clientId: string; readonly refreshToken?: string | undefined },
): StoredTokens | undefined {
  if (!others || others.clientId !== clientId || !isFrom(refreshToken, others)) return own;
  return !own || others.issuedAt > own.issuedAt ? others : own;
}

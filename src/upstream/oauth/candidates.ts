/**
 * Which refresh tokens there are to refresh with, the one to be tried first.
 */
import { isFrom, type StoredTokens, sha256 } from './stored-tokens.ts';

export interface Candidate {
  readonly refreshToken: string;
  /** Whether it belongs to the tokens that are stored. */
  readonly isStored: boolean;
  readonly beganWith: string | undefined;
}

/** A configured token that has not been used yet comes first: an operator has put it there. */
export function candidates(stored: StoredTokens | undefined, configured: string | undefined): readonly Candidate[] {
  const all: Candidate[] = [];
  const digest = configured === undefined ? undefined : sha256(configured);
  if (configured !== undefined && !(stored && isFrom(configured, stored))) {
    all.push({ refreshToken: configured, isStored: false, beganWith: digest });
  }
  // Once it has worked, the file's chain counts as begun with the configured token: that one is not tried any more.
  for (const refreshToken of [stored?.refreshToken, stored?.replaced]) {
    if (stored && refreshToken) all.push({ refreshToken, isStored: true, beganWith: digest ?? stored.beganWith });
  }
  return all;
}

/** The later ones, if they are for this application and go back to the configured refresh token. */
export function newest(
  own: StoredTokens | undefined,
  others: StoredTokens | undefined,
  { clientId, refreshToken }: { readonly clientId: string; readonly refreshToken?: string | undefined },
): StoredTokens | undefined {
  if (!others || others.clientId !== clientId || !isFrom(refreshToken, others)) return own;
  return !own || others.issuedAt > own.issuedAt ? others : own;
}

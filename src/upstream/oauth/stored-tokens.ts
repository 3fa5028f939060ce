/**
 * The tokens that are kept: what a grant leaves, to whom they belong, and which of two are the later ones.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Grant } from './token-answer.ts';

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

export type StoredTokens = Readonly<z.output<typeof shape>>;

/** Undefined when the text holds none. */
export function parseTokens(text: string): StoredTokens | undefined {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    return undefined;
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

/** Whether the configured refresh token, if there is one, is that with which these tokens began. */
export function isFrom(configured: string | undefined, { beganWith }: Pick<StoredTokens, 'beganWith'>): boolean {
  return configured === undefined || beganWith === sha256(configured);
}

/**
 * Of two tokens, the ones that were issued later are the latest: on a clock that was set back, those that replace others would
 * be taken for the earlier ones, and a refresh token that is spent for the one to use.
 */
export function laterThan(replaced: StoredTokens | undefined, now: number): number {
  return Math.max(now, (replaced?.issuedAt ?? 0) + 1);
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

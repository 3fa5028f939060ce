/**
 * Stored tokens: made from a grant, matched to their application, and compared by age.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Grant } from './token-answer.ts';

const shape = z.object({
  /** Application that the tokens were issued to; another's are useless. */
  clientId: z.string(),
  refreshToken: z.string().min(1),
  /**
   * The previous refresh token, if this one came in a response that was not a grant: if this one is refused, that one may
   * still work.
   */
  replaced: z.string().min(1).optional(),
  /** Empty if the response with the refresh token had no usable access token. */
  accessToken: z.string(),
  /** Wall time in milliseconds. */
  issuedAt: z.int(),
  expiresAt: z.int(),
  /** SHA-256 of the configured refresh token that started this chain; undefined if a person authorized it. */
  beganWith: z.string().optional(),
  /** Whether another instance refreshed them; any instance may have spent the refresh token since. */
  borrowed: z.boolean().optional(),
});

export type StoredTokens = Readonly<z.output<typeof shape>>;

/** Parses stored tokens; undefined if invalid. */
export function parseTokens(text: string): StoredTokens | undefined {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Makes stored tokens from a grant. @param before what the grant was requested with; its refresh token stays if the grant has
 * none
 */
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

/** Whether these tokens descend from the configured refresh token; true if none is configured. */
export function isFrom(configured: string | undefined, { beganWith }: Pick<StoredTokens, 'beganWith'>): boolean {
  return configured === undefined || beganWith === sha256(configured);
}

/**
 * Returns an issue time later than that of the replaced tokens, even if the clock was set back: the later tokens must win, or
 * a spent refresh token would be used again.
 */
export function laterThan(replaced: StoredTokens | undefined, now: number): number {
  return Math.max(now, (replaced?.issuedAt ?? 0) + 1);
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

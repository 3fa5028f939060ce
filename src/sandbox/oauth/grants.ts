/**
 * Keeps the valid tokens: access tokens for their lifetime, refresh tokens for one use or many.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.ts';

export interface Grant {
  readonly accessToken: string;
  readonly refreshToken: string;
}

interface Options {
  /** The initial refresh token. */
  readonly refreshToken: string;
  /** Whether a refresh token works only once. Default true. */
  readonly rotating?: boolean;
  /** Lifetime of access tokens. Default a day. */
  readonly accessTokenSeconds?: number;
}

export const newToken = () => randomBytes(24).toString('base64url');

export class Grants {
  readonly lifeSeconds: number;
  readonly #isRotating: boolean;
  readonly #clock: Clock;
  /** Expiry by access token. */
  readonly #access = new Map<string, number>();
  readonly #refresh: Set<string>;

  constructor({ refreshToken, rotating = true, accessTokenSeconds = 86_400 }: Options, clock: Clock) {
    this.lifeSeconds = accessTokenSeconds;
    this.#isRotating = rotating;
    this.#clock = clock;
    this.#refresh = new Set([refreshToken]);
  }

  takes(accessToken: string): boolean {
    return (this.#access.get(accessToken) ?? 0) > this.#clock.now();
  }

  /** Ends all access tokens, as if they had expired. */
  expire(): void {
    this.#access.clear();
  }

  /** Ends all tokens: a person must authorize again. */
  revoke(): void {
    this.#access.clear();
    this.#refresh.clear();
  }

  issue(refreshToken = newToken()): Grant {
    const accessToken = newToken();
    this.#access.set(accessToken, this.#clock.now() + this.lifeSeconds * 1000);
    this.#refresh.add(refreshToken);
    return { accessToken, refreshToken };
  }

  /** Returns new tokens for a refresh token; undefined if it is invalid or spent. */
  refresh(refreshToken: string): Grant | undefined {
    if (!this.#refresh.has(refreshToken)) return undefined;
    if (!this.#isRotating) return this.issue(refreshToken);
    this.#refresh.delete(refreshToken);
    return this.issue();
  }
}

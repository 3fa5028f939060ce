/**
 * Keeps the access token valid: renews it before it expires and when it is refused, with one refresh at a time for all who
 * wait.
 */
import type { Clock } from '../../clock.ts';
import { Problem } from '../../problems.ts';
import type { BearerTokens } from '../credentials.ts';
import type { RefreshOutcome } from './refresh.ts';
import type { StoredTokens } from './stored-tokens.ts';

interface Parts {
  readonly clock: Clock;
  /** Undefined if there are none, or none that belong to the configured refresh token. */
  readonly read: () => StoredTokens | undefined;
  /** @param held the latest tokens that `read` returned, in case the file has none any more */
  readonly refresh: (replaces: string | undefined, held: StoredTokens | undefined) => Promise<RefreshOutcome>;
  /** Calls `changed` when the tokens may have changed. Returns a function that stops watching. */
  readonly watch: (changed: () => void) => () => void;
  /**
   * Called with new tokens, which must be redacted in logs. After a new access token, refused credentials may be tried again.
   */
  readonly onTokens: (secrets: readonly string[], hasAccessToken: boolean) => void;
  /** @param isMissing whether there is no usable access token */
  readonly onOutcome: (outcome: RefreshOutcome, isMissing: boolean) => void;
}

/**
 * Fraction of its life after which a token is renewed, with jitter: instances that start together do not refresh together.
 */
const partOfLife = 0.8;
const jitter = 0.05;
/** A token is not sent this close to its end: it might expire on the way. */
const marginMs = 30_000;
/** The token endpoint accepts one call a second (vendor's documentation). */
const shortestPauseMs = 1_000;
const longestPauseMs = 60_000;
/**
 * Shortest time between two renewals after uncertain refusals: a question that is always refused must not renew the token
 * every time.
 */
const trustMs = 60_000;
/** Timers are limited to 24 days. */
const longestTimerMs = 86_400_000;

export class Tokens implements BearerTokens {
  readonly #parts: Parts;
  /** Tokens with the access token in use. */
  #stored: StoredTokens | undefined;
  /** Tokens with the latest refresh token. */
  #latest: StoredTokens | undefined;
  /** Both tokens as last read from the file. */
  #found: string | undefined;
  /** Monotonic times when the access token is renewed and when it expires. */
  #renewAt = Number.NEGATIVE_INFINITY;
  #endsAt = Number.NEGATIVE_INFINITY;
  #refused: string | undefined;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #last: RefreshOutcome | undefined;
  #needsPerson = false;
  #failures = 0;
  #endedAt = 0;
  #isClosed = false;
  #notBefore = 0;
  #refreshing: Promise<RefreshOutcome> | undefined;
  #cancelTimer: () => void = () => {};
  readonly #unwatch: () => void;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.reload();
    this.#unwatch = parts.watch(() => this.#fileChanged());
  }

  /** Whether a person must authorize again. */
  get needsPerson(): boolean {
    return this.#needsPerson;
  }

  /** Whether there is no usable access token because the renewal failed. */
  get isMissing(): boolean {
    return this.#failures > 0 && !this.#isUsable();
  }

  /** Milliseconds until the access token expires; 0 without one. */
  get lifeLeftMs(): number {
    return this.#isUsable() ? this.#endsAt - this.#parts.clock.monotonic() : 0;
  }

  current(): string {
    return this.#stored?.accessToken ?? '';
  }

  refused(token: string, isCertain: boolean): void {
    const now = this.#parts.clock.monotonic();
    if (token !== this.#stored?.accessToken || (!isCertain && now - this.#refusedAt < trustMs)) return;
    this.#refused = token;
    this.#refusedAt = now;
  }

  /**
   * Returns undefined if a usable token exists; else resolves when one does.
   *
   * @throws Problem `upstream-credentials-refused` or `upstream-failed` if none can be obtained
   */
  ready(): Promise<void> | undefined {
    if (!this.#isUsable()) return this.#untilReady();
    if (this.#parts.clock.monotonic() >= this.#renewAt) void this.#refresh();
    return undefined;
  }

  async #untilReady(): Promise<void> {
    await this.#refresh();
    if (this.#needsPerson) throw new Problem('upstream-credentials-refused', { reason: 'token' });
    if (!this.#isUsable()) throw new Problem('upstream-failed', { reason: 'token' });
  }

  /** Reloads tokens after a change of the file or of the configured token: what was refused may now work. */
  reload(): void {
    this.#failures = 0;
    this.#notBefore = Math.min(this.#notBefore, this.#endedAt + shortestPauseMs);
    this.#last = undefined;
    const stored = this.#parts.read();
    this.#take(stored);
    if (!stored) this.#renewAt = Number.NEGATIVE_INFINITY; // The current token stays in use until there is another.
    this.#schedule(this.#isUsable() ? this.#renewAt : Number.NEGATIVE_INFINITY);
  }

  /** Ignores changes made by a refresh, which reads the file itself; the back-off after a failure continues. */
  #fileChanged(): void {
    if (this.#refreshing || nameOf(this.#parts.read()) === this.#found) return;
    this.reload();
  }

  /** Stops renewals. Resolves when a running one has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    this.#cancelTimer();
    await this.#refreshing;
  }

  #isUsable(): boolean {
    const stored = this.#stored;
    if (!stored || stored.accessToken === this.#refused) return false;
    // Short-lived tokens get a smaller margin.
    const margin = Math.min(marginMs, (stored.expiresAt - stored.issuedAt) / 10);
    return this.#parts.clock.monotonic() < this.#endsAt - margin;
  }

  /** Takes tokens from the file. Returns whether a new access token is now in use. */
  #take(stored: StoredTokens | undefined): boolean {
    const name = nameOf(stored);
    if (name === this.#found) return false;
    this.#found = name;
    if (!stored) return false;
    this.#latest = stored;
    const { accessToken, refreshToken } = stored;
    const isNew = accessToken !== '' && accessToken !== this.#stored?.accessToken;
    if (isNew) this.#use(stored);
    this.#parts.onTokens(isNew ? [accessToken, refreshToken] : [refreshToken], isNew);
    return isNew;
  }

  #use(stored: StoredTokens): void {
    this.#stored = stored;
    this.#needsPerson = false;
    const { clock } = this.#parts;
    const lifeMs = stored.expiresAt - stored.issuedAt;
    // Whatever the clocks of writer and reader say, a token lasts no longer than its whole life.
    this.#endsAt = clock.monotonic() + Math.min(stored.expiresAt - clock.now(), lifeMs);
    this.#renewAt = this.#endsAt - lifeMs + lifeMs * (partOfLife + jitter * (2 * Math.random() - 1));
  }

  #refresh(): Promise<RefreshOutcome> {
    if (this.#refreshing) return this.#refreshing;
    const pauseMs = this.#notBefore - this.#parts.clock.monotonic();
    // After a success the pause is at most a second: wait for it.
    if (pauseMs > 0 && this.#last && this.#last.outcome !== 'renewed') return Promise.resolve(this.#last);
    this.#refreshing = this.#renew(pauseMs).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #renew(pauseMs: number): Promise<RefreshOutcome> {
    const { clock, refresh, read, onOutcome } = this.#parts;
    if (pauseMs > 0) await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
    const result = await refresh(this.#stored?.accessToken, this.#latest);
    // The time of the call itself is unknown; a second after its end is late enough.
    this.#endedAt = clock.monotonic();
    if (result.outcome === 'renewed') this.#refused = undefined;
    this.#failures = result.outcome === 'renewed' ? 0 : this.#failures + 1;
    if (result.outcome === 'refused') this.#needsPerson = true;
    // Even after a failure, the file may have another refresh token, or another process's tokens.
    const hasTaken = this.#take(read());
    const backOffMs = shortestPauseMs * 2 ** Math.max(0, this.#failures - 1);
    this.#notBefore = this.#endedAt + (this.#needsPerson ? longestPauseMs : Math.min(backOffMs, longestPauseMs));
    this.#last = result;
    onOutcome(result, this.isMissing);
    const isRenewed = result.outcome === 'renewed';
    this.#schedule(isRenewed ? this.#renewAt : Math.max(hasTaken ? this.#renewAt : 0, this.#notBefore));
    return result;
  }

  /** Schedules the next renewal or retry, without waiting for a request. @param at monotonic time in milliseconds */
  #schedule(at: number): void {
    const { clock } = this.#parts;
    this.#cancelTimer();
    if (this.#isClosed) return;
    const inMs = Math.min(Math.max(at - clock.monotonic(), 0), longestTimerMs);
    this.#cancelTimer = clock.after(inMs, () => {
      if (clock.monotonic() >= at) void this.#refresh();
      else this.#schedule(at);
    });
  }
}

const nameOf = (stored: StoredTokens | undefined) => stored && `${stored.accessToken} ${stored.refreshToken}`;

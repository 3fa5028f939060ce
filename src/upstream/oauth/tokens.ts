/**
 * The access token in use: renewed before it ends and when it is refused, by one refresh at a time however many wait.
 */
import type { Clock } from '../../clock.ts';
import { Problem } from '../../problems.ts';
import type { BearerTokens } from '../credentials.ts';
import type { RefreshOutcome } from './refresh.ts';
import type { StoredTokens } from './stored-tokens.ts';

interface Parts {
  readonly clock: Clock;
  /** Undefined when there are none, or none that belong to the configured refresh token. */
  readonly read: () => StoredTokens | undefined;
  /** @param held the latest tokens that `read` has read, in case it reads none any more */
  readonly refresh: (replaces: string | undefined, held: StoredTokens | undefined) => Promise<RefreshOutcome>;
  /** Calls back when what `read` reads may have changed. Returns its end. */
  readonly watch: (changed: () => void) => () => void;
  /** Called with new tokens: they have to be kept out of the logs. With a new access token, refused credentials may be tried again. */
  readonly onTokens: (secrets: readonly string[], hasAccessToken: boolean) => void;
  /** @param isMissing whether there is no access token to call with */
  readonly onOutcome: (outcome: RefreshOutcome, isMissing: boolean) => void;
}

/** Renewed at this part of its life, give or take the jitter: instances that began together do not ask together. */
const partOfLife = 0.8;
const jitter = 0.05;
/** So shortly before its end a token is not sent any more: it might end on its way. */
const marginMs = 30_000;
/** The token endpoint takes one call a second (vendor's documentation). */
const shortestPauseMs = 1_000;
const longestPauseMs = 60_000;
/** One question that is always refused would have the token renewed at every try: so long after the last time it is not. */
const trustMs = 60_000;
/** A timer holds no more than 24 days. */
const longestTimerMs = 86_400_000;

export class Tokens implements BearerTokens {
  readonly #parts: Parts;
  /** Those with the access token in use. */
  #stored: StoredTokens | undefined;
  /** Those with the latest refresh token. */
  #latest: StoredTokens | undefined;
  /** Both tokens as they were last found in the file. */
  #found: string | undefined;
  /** Monotonic times at which the access token is to be renewed, and ends. */
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

  /** Whether a person has to authorize again. */
  get needsPerson(): boolean {
    return this.#needsPerson;
  }

  /** Whether there is no access token to call with, since it cannot be renewed. */
  get isMissing(): boolean {
    return this.#failures > 0 && !this.#isUsable();
  }

  /** Milliseconds until the access token ends; 0 when there is none. */
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
   * Undefined when there is a token to call with; else resolves when there is.
   *
   * @throws Problem `upstream-credentials-refused` or `upstream-failed` when there is none to be had
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

  /** The file or the configured token may have changed: what was refused may be taken now. */
  reload(): void {
    this.#failures = 0;
    this.#notBefore = Math.min(this.#notBefore, this.#endedAt + shortestPauseMs);
    this.#last = undefined;
    const stored = this.#parts.read();
    this.#take(stored);
    if (!stored) this.#renewAt = Number.NEGATIVE_INFINITY; // What is held goes on being used until there are others.
    this.#schedule(this.#isUsable() ? this.#renewAt : Number.NEGATIVE_INFINITY);
  }

  /** A refresh reads the file at its end, and what it has left there is no news: the pause after a failure goes on. */
  #fileChanged(): void {
    if (this.#refreshing || nameOf(this.#parts.read()) === this.#found) return;
    this.reload();
  }

  /** Ends the renewals. Resolves when one that is under way has come to its end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    this.#cancelTimer();
    await this.#refreshing;
  }

  #isUsable(): boolean {
    const stored = this.#stored;
    if (!stored || stored.accessToken === this.#refused) return false;
    // A life that is shorter than the margin is used to its end.
    const margin = Math.min(marginMs, (stored.expiresAt - stored.issuedAt) / 10);
    return this.#parts.clock.monotonic() < this.#endsAt - margin;
  }

  /** Returns whether there is another access token, which is in use from here on. */
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
    // Whatever the wall clocks say that wrote and read the file, no token has more left than its whole life.
    this.#endsAt = clock.monotonic() + Math.min(stored.expiresAt - clock.now(), lifeMs);
    this.#renewAt = this.#endsAt - lifeMs + lifeMs * (partOfLife + jitter * (2 * Math.random() - 1));
  }

  #refresh(): Promise<RefreshOutcome> {
    if (this.#refreshing) return this.#refreshing;
    const pauseMs = this.#notBefore - this.#parts.clock.monotonic();
    // After a success the pause is at most a second, and worth waiting for.
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
    // The call was made somewhere in between: a second after its end is a second after it.
    this.#endedAt = clock.monotonic();
    if (result.outcome === 'renewed') this.#refused = undefined;
    this.#failures = result.outcome === 'renewed' ? 0 : this.#failures + 1;
    if (result.outcome === 'refused') this.#needsPerson = true;
    // Also after a failure: it may have brought another refresh token, or somebody else tokens meanwhile.
    const hasTaken = this.#take(read());
    const backOffMs = shortestPauseMs * 2 ** Math.max(0, this.#failures - 1);
    this.#notBefore = this.#endedAt + (this.#needsPerson ? longestPauseMs : Math.min(backOffMs, longestPauseMs));
    this.#last = result;
    onOutcome(result, this.isMissing);
    const isRenewed = result.outcome === 'renewed';
    this.#schedule(isRenewed ? this.#renewAt : Math.max(hasTaken ? this.#renewAt : 0, this.#notBefore));
    return result;
  }

  /** Nobody needs to ask for a token to stay fresh, or to be tried again. @param at monotonic */
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

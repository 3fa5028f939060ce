/**
 * A lock shared by instances: held by a token while its holder is alive to renew it.
 *
 * Scripts that read and lock in one step include `lua/include/lock`; then only the renewal happens here.
 */
import { type Clock, sleep } from '../clock.ts';
import { loadScript, type Reply, type Script } from './scripts.ts';

/** An unrenewed lock expires after this long: its holder died or stalled. */
export const lockMs = 1_200;
const renewEveryMs = 400;
const pollMs = 50;

const acquireLock = loadScript(import.meta.url, 'lua/acquire-lock-1.lua');
const renewLock = loadScript(import.meta.url, 'lua/renew-lock-1.lua');
const releaseLock = loadScript(import.meta.url, 'lua/release-lock-1.lua');

/** Runs a script. The caller bounds its time; the lock does not. */
type Run = (script: Script, values: readonly (string | number)[]) => Promise<Reply | undefined>;

/** A held lock, renewed until it is released or abandoned. */
export class HeldLock {
  readonly #run: Run;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #token: string;
  #cancel: () => void = () => {};

  /** @param token with which a script has just acquired the lock */
  constructor(run: Run, clock: Clock, key: string, token: string) {
    this.#run = run;
    this.#clock = clock;
    this.#key = key;
    this.#token = token;
    this.#renewLater();
  }

  /** Stops renewing: a script has released the lock together with what it protected. */
  stopRenewing(): void {
    this.#cancel();
  }

  /** Releases the lock. Rejects if Redis is unavailable; the lock then expires. */
  async release(): Promise<void> {
    this.stopRenewing();
    await this.#run(releaseLock, [this.#key, this.#token]);
  }

  #renewLater(): void {
    this.#cancel = this.#clock.after(renewEveryMs, () => {
      // A failed renewal is retried at the next interval, or the lock expires.
      this.#run(renewLock, [this.#key, this.#token, lockMs]).catch(() => {});
      this.#renewLater();
    });
  }
}

/**
 * Waits up to `forMs` milliseconds for the lock. Resolves with undefined if others hold it for longer.
 *
 * @param token unique to this holder
 * @throws if `run` does
 */
export async function acquire(
  run: Run,
  clock: Clock,
  { key, token, forMs }: { readonly key: string; readonly token: string; readonly forMs: number },
): Promise<HeldLock | undefined> {
  for (const giveUpAt = clock.monotonic() + forMs; clock.monotonic() < giveUpAt; await sleep(clock, pollMs)) {
    if ((await run(acquireLock, [key, token, lockMs])) === 1) return new HeldLock(run, clock, key, token);
  }
  return undefined;
}

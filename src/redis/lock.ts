/**
 * A lock that instances share: held by a token, for as long as its holder is alive to renew it.
 *
 * Where a script reads and locks in one step it includes `lua/include/lock`, and only the renewal is done here.
 */
import { type Clock, sleep } from '../clock.ts';
import { loadScript, type Reply, type Script } from './scripts.ts';

/** A lock that has not been renewed for this long is free: its holder has died, or stood still. */
export const lockMs = 1_200;
const renewEveryMs = 400;
const pollMs = 50;

const acquireLock = loadScript(import.meta.url, 'lua/acquire-lock-1.lua');
const renewLock = loadScript(import.meta.url, 'lua/renew-lock-1.lua');
const releaseLock = loadScript(import.meta.url, 'lua/release-lock-1.lua');

/** Runs a script within a time limit: the lock adds none for a single question. */
type Run = (script: Script, values: readonly (string | number)[]) => Promise<Reply | undefined>;

/** A lock that is held, and renewed until it is released or given up. */
export class HeldLock {
  readonly #run: Run;
  readonly #clock: Clock;
  readonly #key: string;
  readonly #token: string;
  #cancel: () => void = () => {};

  /** @param token with which a script has just acquired it */
  constructor(run: Run, clock: Clock, key: string, token: string) {
    this.#run = run;
    this.#clock = clock;
    this.#key = key;
    this.#token = token;
    this.#renewLater();
  }

  /** Renews it no more: a script has released it, together with what it was held for. */
  stopRenewing(): void {
    this.#cancel();
  }

  /** Rejects when Redis cannot be asked: the lock then expires. */
  async release(): Promise<void> {
    this.stopRenewing();
    await this.#run(releaseLock, [this.#key, this.#token]);
  }

  #renewLater(): void {
    this.#cancel = this.#clock.after(renewEveryMs, () => {
      // A lock that could not be renewed is renewed the next time, or has expired.
      this.#run(renewLock, [this.#key, this.#token, lockMs]).catch(() => {});
      this.#renewLater();
    });
  }
}

/**
 * Waits for the lock, `forMs` milliseconds at most. Resolves with undefined when others hold it for longer.
 *
 * @param token unique to this holder
 * @throws when `run` does
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

/**
 * How often Constant Contact may be called: the account has a few calls a second, and no header tells what is left.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';

export interface QuotaOptions {
  /** Calls that may start in any one second. */
  readonly perSecond: number;
  /** The longest wait for a turn, in milliseconds; whoever would wait longer is told at once. */
  readonly maxWaitMs: number;
}

/** Constant Contact counts in seconds; the surplus covers calls that travel faster than the one before. */
const windowMs = 1_025;

interface Waiter {
  readonly grant: () => void;
  readonly refuse: (problem: Problem) => void;
}

/**
 * First come, first served, over a sliding window of starts.
 */
export class Quota {
  readonly #clock: Clock;
  readonly #options: QuotaOptions;
  /** Monotonic times of the last starts, oldest first; never more than `perSecond`. */
  readonly #starts: number[] = [];
  readonly #queue = new Set<Waiter>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, options: QuotaOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Calls that wait for their turn. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * Resolves when a call may start, which is then counted.
   *
   * @param waitMs how long the caller can wait at the most
   * @param signal takes the caller out of the queue, at no cost
   * @throws Problem `upstream-busy`, at once, when the turn would come too late
   */
  take(waitMs: number, signal?: AbortSignal): Promise<void> {
    const wait = this.#waitFor(this.#queue.size);
    if (wait > Math.min(waitMs, this.#options.maxWaitMs)) {
      const retryAfterSeconds = Math.max(1, Math.ceil(wait / 1000));
      return Promise.reject(new Problem('upstream-busy', { retryAfterSeconds, reason: 'queue' }));
    }
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#queue.delete(waiter);
        reject(signal?.reason);
      };
      const settle = <T>(how: (value: T) => void, value: T) => {
        signal?.removeEventListener('abort', leave);
        how(value);
      };
      const waiter: Waiter = {
        grant: () => settle(resolve, undefined),
        refuse: (problem) => settle(reject, problem),
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue.add(waiter);
      this.#serve();
    });
  }

  /** Ends every wait: it has become known that the calls would be in vain. */
  refuseWaiting(problem: Problem): void {
    const waiters = [...this.#queue];
    this.#queue.clear();
    for (const waiter of waiters) waiter.refuse(problem);
  }

  close(): void {
    this.#cancelTimer?.();
  }

  /** Milliseconds until the call behind `ahead` others may start. */
  #waitFor(ahead: number): number {
    const { perSecond } = this.#options;
    const turns = Math.floor(ahead / perSecond);
    const slot = this.#starts[this.#starts.length - perSecond + (ahead % perSecond)];
    const free = slot === undefined ? 0 : Math.max(0, slot + windowMs - this.#clock.monotonic());
    return free + turns * windowMs;
  }

  #serve(): void {
    for (const waiter of this.#queue) {
      const wait = this.#waitFor(0);
      if (wait > 0) {
        this.#cancelTimer ??= this.#clock.after(wait, () => {
          this.#cancelTimer = undefined;
          this.#serve();
        });
        return;
      }
      this.#queue.delete(waiter);
      this.#starts.push(this.#clock.monotonic());
      if (this.#starts.length > this.#options.perSecond) this.#starts.shift();
      waiter.grant();
    }
  }
}

import { type Clock, exactMs, systemClock } from '../../src/clock.ts';

/** A clock that a test moves. */
export interface TestClock extends Clock {
  forward(seconds: number): void;
  /** Sets the wall clock forward or back, and no other. */
  stepWall(ms: number): void;
}

/** Real timers on a clock that the test can advance: pages age at once, and short waits still pass. */
export class ForwardClock implements TestClock {
  #aheadMs = 0;
  #wallAheadMs = 0;

  now(): number {
    return Date.now() + this.#aheadMs + this.#wallAheadMs;
  }

  monotonic(): number {
    return exactMs(performance.now() + this.#aheadMs);
  }

  after(ms: number, run: () => void): () => void {
    return systemClock.after(ms, run);
  }

  forward(seconds: number): void {
    this.#aheadMs += seconds * 1000;
  }

  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }
}

/** A clock that only the test moves. */
export class FakeClock implements TestClock {
  #nowMs: number;
  #wallAheadMs = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  constructor(nowMs = Date.parse('2026-01-01T12:00:00Z')) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs + this.#wallAheadMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#nowMs + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  stepWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  forward(seconds: number): void {
    void this.pass(seconds * 1000);
  }

  /** Number of timers that are due within this time. */
  dueWithin(ms: number): number {
    return this.#timers.filter(({ at }) => at <= this.#nowMs + ms).length;
  }

  /** Advances time until a promise settles, slowly enough for HTTP in flight. */
  async passUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => {
      isSettled = true;
    };
    promise.then(settle, settle);
    while (!isSettled) {
      await this.pass(20);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return promise;
  }

  /** Advances time, running due timers in order and letting promises react in between. */
  async pass(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.at);
      due.run();
    }
    this.#nowMs = end;
    await settled();
  }
}

/** Resolves when promises that are ready have run their reactions. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

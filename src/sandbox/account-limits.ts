/**
 * Enforces the account's limits: calls in any second, and calls per UTC day.
 */
import type { Clock } from '../clock.ts';

const dayMs = 86_400_000;

export class AccountLimits {
  readonly #limits: { readonly perSecond: number; readonly perDay: number };
  readonly #clock: Clock;
  readonly #arrivals: number[] = [];
  #day = { index: 0, calls: 0 };

  constructor(limits: { readonly perSecond: number; readonly perDay: number }, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Counts a call, and returns the limit that it exceeds. A refused call counts too: a client that keeps calling stays
   * refused.
   */
  count(): 'second' | 'day' | undefined {
    const now = this.#clock.now();
    const day = Math.floor(now / dayMs);
    if (this.#day.index !== day) this.#day = { index: day, calls: 0 };
    this.#day.calls++;
    this.#arrivals.push(now);
    while ((this.#arrivals[0] ?? now) <= now - 1000) this.#arrivals.shift();
    if (this.#day.calls > this.#limits.perDay) return 'day';
    return this.#arrivals.length > this.#limits.perSecond ? 'second' : undefined;
  }
}

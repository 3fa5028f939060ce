/**
 * Decides whether a refused question is retried, and after which pause.
 */
import type { Demand } from '../quota/demand.ts';
import type { ErrorMeaning } from './adapter.ts';
import type { Retry, RetryBudget } from './retry-budget.ts';

/** First pause before a retry. It doubles each time; half of it is jitter. */
const firstPauseMs = 200;

/** The pause before the next call, or why there is none. `late`: no time is left for a retry. */
export type Next = { readonly pauseMs: number } | { readonly end: 'refused' | 'late' };

/** Retries of one question. Each takes a retry from the budget, and gives it back if the call is not made. */
export class Retries {
  readonly #budget: RetryBudget;
  readonly #demand: Demand;
  readonly #most: number;
  #made = 0;
  #isConfirmed = false;
  #taken: Retry | undefined;

  /** @param most retries after the first call */
  constructor(budget: RetryBudget, demand: Demand, most: number) {
    this.#budget = budget;
    this.#demand = demand;
    this.#most = most;
  }

  /** Retries so far, without the confirming call. */
  get made(): number {
    return this.#made;
  }

  /** Records that the call is made. */
  called(): void {
    if (this.#made === 0) this.#budget.earn(this.#demand);
    this.#taken = undefined;
  }

  /** Gives the retry back: no call is made. */
  giveBack(): void {
    this.#taken?.giveBack();
    this.#taken = undefined;
  }

  /**
   * Decides on the next call after a refusal.
   *
   * @param mostMs longest pause
   * @param isDown whether the upstream is down or suspect: retries would add to its load
   */
  next({ again, waitMs = 0 }: ErrorMeaning, mostMs: number, isDown: boolean): Next {
    const pauseMs = Math.max(waitMs, firstPauseMs * 2 ** this.#made * (0.5 + Math.random() / 2));
    const mayPause = pauseMs < mostMs;
    if (again === 'confirm' && !this.#isConfirmed && mayPause) {
      this.#isConfirmed = true;
      return { pauseMs };
    }
    if (again !== 'retry' || this.#made >= this.#most || isDown) return { end: 'refused' };
    if (!mayPause) return { end: 'late' };
    this.#taken = this.#budget.take(this.#demand);
    if (!this.#taken) return { end: 'refused' };
    this.#made++;
    return { pauseMs };
  }
}

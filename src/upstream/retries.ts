/**
 * Whether one question is asked once more after a refusal, and after which pause.
 */
import type { Demand } from '../quota/demand.ts';
import type { ErrorMeaning } from './adapter.ts';
import type { Retry, RetryBudget } from './retry-budget.ts';

/** The first pause before another call; it doubles, and half of it is jitter. */
const firstPauseMs = 200;

/** Either the pause before the next call, or why there is none: `late`: there is no time for the retry that there could be. */
export type Next = { readonly pauseMs: number } | { readonly end: 'refused' | 'late' };

/** The calls of one question. A retry is taken out of the budget for the next call, and given back when that is not made. */
export class Retries {
  readonly #budget: RetryBudget;
  readonly #demand: Demand;
  readonly #most: number;
  #made = 0;
  #isConfirmed = false;
  #taken: Retry | undefined;

  /** @param most calls after the first */
  constructor(budget: RetryBudget, demand: Demand, most: number) {
    this.#budget = budget;
    this.#demand = demand;
    this.#most = most;
  }

  /** Retries so far; a call that only confirms another one is none. */
  get made(): number {
    return this.#made;
  }

  /** A call is made. */
  called(): void {
    if (this.#made === 0) this.#budget.earn(this.#demand);
    this.#taken = undefined;
  }

  /** No call is made. */
  giveBack(): void {
    this.#taken?.giveBack();
    this.#taken = undefined;
  }

  /**
   * @param mostMs the longest pause
   * @param isDown whether the upstream is known or suspected to be down, and retries would only add to it
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

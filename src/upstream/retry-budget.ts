/**
 * Lets retries be a small part of the calls, so that a failing upstream is not asked three times as often for it.
 */

/** Retries that may be made before any share has been earned, and kept when more was. */
const most = 10;

/** Every first call earns a share of a retry; every retry costs a whole one. */
export class RetryBudget {
  readonly #share: number;
  #saved = most;

  /** @param percent retries in a hundred calls, in the long run */
  constructor(percent: number) {
    this.#share = percent / 100;
  }

  earn(): void {
    this.#saved = Math.min(most, this.#saved + this.#share);
  }

  /** Takes a retry, if there is one. */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}

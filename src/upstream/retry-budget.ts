/**
 * Limits retries to a small share of the calls, so that a failing upstream does not get three times the load.
 */
import { LRUCache } from 'lru-cache';
import { upTo } from '../model/lru.ts';
import type { Payer } from '../quota/demand.ts';

/** Retries available at first and saved at most: in total, and per asker. */
const most = 10;
const mostOfOne = most / 2;
const maxAskers = 10_000;

/** A retry taken from the budget. */
export interface Retry {
  /** Returns the retry if no call was made. */
  readonly giveBack: () => void;
}

/**
 * Every first call earns a fraction of a retry; every retry costs a whole one. Both count in total and per asker, who can
 * save up half of the total: one asker's failing questions leave retries to the others.
 */
export class RetryBudget {
  readonly #share: number;
  #saved = most;
  readonly #savedBy = new LRUCache<string, number>(upTo(maxAskers));

  /** @param percent retries per hundred calls, in the long run */
  constructor(percent: number) {
    this.#share = percent / 100;
  }

  earn(asker: Payer): void {
    this.#add(asker, this.#share);
  }

  /** Takes a retry; undefined if none is left. Give it back if no call is made. */
  take(asker: Payer): Retry | undefined {
    const own = this.#of(asker);
    if (this.#saved < 1 || own < 1) return undefined;
    this.#add(asker, -1);
    // Copied now: another payer may pay by the time it is given back.
    const { team, client } = asker;
    return { giveBack: () => this.#add({ team, client }, 1) };
  }

  #add(asker: Payer, retries: number): void {
    this.#saved = Math.min(most, this.#saved + retries);
    this.#savedBy.set(askerOf(asker), Math.min(mostOfOne, this.#of(asker) + retries));
  }

  #of(asker: Payer): number {
    return this.#savedBy.get(askerOf(asker)) ?? mostOfOne;
  }
}

/** Returns a unique name of an asker. */
export const askerOf = ({ team, client = '' }: Payer) => `${team} ${client}`;

/**
 * Lets retries be a small part of the calls, so that a failing upstream is not asked three times as often for it.
 */
import { LRUCache } from 'lru-cache';
import type { Payer } from '../quota/demand.ts';

/** Retries that may be made before any share has been earned, and kept when more was: of all, and of one asker. */
const most = 10;
const mostOfOne = most / 2;
const maxAskers = 10_000;

/** A retry that may be made. */
export interface Retry {
  /** No call has come of it. */
  readonly giveBack: () => void;
}

/**
 * Every first call earns a share of a retry; every retry costs a whole one. Both count for all and for the asker, whose own
 * savings are half of the whole: questions of one asker that always fail leave retries to the others.
 */
export class RetryBudget {
  readonly #share: number;
  #saved = most;
  readonly #savedBy = new LRUCache<string, number>({ max: maxAskers });

  /** @param percent retries in a hundred calls, in the long run */
  constructor(percent: number) {
    this.#share = percent / 100;
  }

  earn(asker: Payer): void {
    this.#add(asker, this.#share);
  }

  /** Takes a retry; undefined when there is none. One that no call comes of is to be given back. */
  take(asker: Payer): Retry | undefined {
    const own = this.#of(asker);
    if (this.#saved < 1 || own < 1) return undefined;
    this.#add(asker, -1);
    // What the asker is called now: another one may pay by the time that it is given back.
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

/** The name of an asker, which no other one has. */
export const askerOf = ({ team, client = '' }: Payer) => `${team} ${client}`;

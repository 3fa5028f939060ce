/**
 * Chooses some of many places, evenly spread. Everything about the choice is computed, nothing stored.
 */
export class Spread {
  /** Places that are chosen. */
  readonly count: number;
  /** All places, from 0. */
  readonly total: number;

  constructor(count: number, total: number) {
    this.count = count;
    this.total = total;
  }

  /** Counts the chosen places before this one. */
  before(place: number): number {
    return this.total === 0 ? 0 : Math.floor((place * this.count) / this.total);
  }

  has(place: number): boolean {
    return this.before(place + 1) > this.before(place);
  }

  /** Returns the n-th chosen place, from 0. */
  place(n: number): number {
    return Math.ceil(((n + 1) * this.total) / this.count) - 1;
  }

  /** Returns the n-th place that is not chosen, from 0. */
  restPlace(n: number): number {
    return Math.floor((n * this.total) / (this.total - this.count));
  }
}

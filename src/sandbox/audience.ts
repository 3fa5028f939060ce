/**
 * Members of a pool who did something: recipients who opened, openers who clicked. Some did at the start; others join later,
 * newcomers to the pool last.
 */
import { Spread } from './spread.ts';

export class Audience {
  readonly #initial: Spread;
  readonly #poolSize: () => number;
  #joined = 0;

  /** @param poolSize grows while the sandbox runs */
  constructor(initial: number, poolSize: () => number) {
    this.#poolSize = poolSize;
    this.#initial = new Spread(Math.min(initial, poolSize()), poolSize());
  }

  get size(): number {
    return this.#initial.count + this.#joined;
  }

  /** Returns the place in the pool of the n-th member, in order of joining. */
  member(n: number): number {
    return n < this.#initial.count ? this.#initial.place(n) : this.rest(n - this.#initial.count);
  }

  /** Returns the place in the pool of the n-th who was not a member at the start. */
  rest(n: number): number {
    const { count, total } = this.#initial;
    return n < total - count ? this.#initial.restPlace(n) : n + count;
  }

  /** Those who are not members, by place in the pool. */
  get others(): { readonly size: number; place(n: number): number } {
    const joined = this.#joined;
    return { size: this.#poolSize() - this.size, place: (n) => this.rest(joined + n) };
  }

  /** Adds the next member. Returns whether there was one left. */
  join(): boolean {
    if (this.size >= this.#poolSize()) return false;
    this.#joined++;
    return true;
  }
}

/**
 * Which member did what, where some did it several times.
 */
import { scatter } from './scatter.ts';
import { Spread } from './spread.ts';

/** A repetition is followed by the same member's latest row after at most this number of others' latest rows. */
const reach = 64;

export class Repeats {
  /** Rows that are their member's latest. */
  readonly latest: Spread;
  /** Shares no factor with the number of members, so that each has one latest row. */
  readonly #step: number;

  /** @param members at most `rows` */
  constructor(rows: number, members: number) {
    this.latest = new Spread(members, rows);
    this.#step = members % 7919 === 0 ? 104_729 : 7919;
  }

  /** Returns the member, from 0, of a row; rows are counted from the oldest. */
  memberOf(row: number): number {
    const { count } = this.latest;
    const later = this.latest.before(row);
    const n = this.latest.has(row) ? later : later + (scatter(row) % Math.min(reach, count - later));
    return (n * this.#step) % count;
  }
}

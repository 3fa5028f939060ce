/**
 * Rows of a report, newest first. They are computed, not stored, and are the same on every run.
 */
import type { Dates } from './dates.ts';
import type { OddKind } from './odd.ts';

export interface SandboxRow {
  /** Position in the report, from the oldest row: stays when newer rows arrive. */
  readonly number: number;
  readonly contactId: string;
  readonly email: string;
  readonly atMs: number;
  readonly odd?: OddKind | undefined;
}

export interface Rows {
  readonly size: number;
  /** Returns the row at `index`, newest first. */
  at(index: number): SandboxRow;
}

/** Contacts are known by their send: its number, from the oldest. */
export interface Contact {
  readonly contactId: string;
  readonly email: string;
}

/** A row that arrived while the sandbox runs. */
export interface AddedRow {
  readonly send: number;
  /** Whether it is the contact's first in the report. */
  readonly isFirst: boolean;
}

/** What a report has at the start, and who is in its rows. */
export interface RowSource {
  /** Rows at the start. */
  readonly size: number;
  readonly dates: Dates;
  /** Odd rows, by index among those at the start. */
  readonly odd: Readonly<Record<number, OddKind>>;
  contactOf(send: number): Contact;
  /** Returns the send of the contact in a row of the start. */
  sendOf(number: number): number;
  /** Selects the contact of a new row. */
  next(number: number): AddedRow;
}

export class ReportRows implements Rows {
  readonly #source: RowSource;
  readonly #added: (AddedRow & { readonly atMs: number })[] = [];

  constructor(source: RowSource) {
    this.#source = source;
  }

  /** Rows at the start. */
  get initialSize(): number {
    return this.#source.size;
  }

  get size(): number {
    return this.#source.size + this.#added.length;
  }

  /** Adds rows newer than all others, a millisecond apart, the first no earlier than `atMs`. */
  add(count: number, atMs: number): void {
    for (let i = 0; i < count; i++) {
      const newest = this.size === 0 ? atMs : Math.max(atMs, this.at(0).atMs + 1);
      this.#added.push({ ...this.#source.next(this.size), atMs: newest });
    }
  }

  at(index: number): SandboxRow {
    return this.#row(this.size - 1 - index);
  }

  /**
   * Some of the rows.
   *
   * @param initial those of the start: how many, and the number of each, from the oldest
   * @param isIn whether an added row is one of them
   */
  part(
    initial: { readonly size: number; number(n: number): number },
    isIn: (added: AddedRow, number: number) => boolean,
  ): Rows {
    const added = this.#added.map((row, n) => ({ row, number: this.#source.size + n }));
    const later = added.filter(({ row, number }) => isIn(row, number)).map(({ number }) => number);
    const size = initial.size + later.length;
    return {
      size,
      at: (index) => {
        const n = size - 1 - index;
        return this.#row(later[n - initial.size] ?? initial.number(n));
      },
    };
  }

  #row(number: number): SandboxRow {
    const { size, dates, odd, contactOf } = this.#source;
    const back = size - 1 - number;
    const { send, atMs } = this.#added[-back - 1] ?? { send: this.#source.sendOf(number), atMs: dates(back) };
    return { number, ...contactOf(send), atMs, odd: odd[back] };
  }
}

/** Number of rows not older than `sinceMs`. */
export const countSince = (rows: Rows, sinceMs: number) => search(rows, (atMs) => atMs >= sinceMs);

/** Index, newest first, of the first row not after `atMs`. */
export const indexAt = (rows: Rows, atMs: number) => search(rows, (at) => at > atMs);

/** Counts the newest rows that pass `test`, which is true up to some row and false beyond it. */
function search(rows: Rows, test: (atMs: number) => boolean): number {
  let low = 0;
  let high = rows.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (test(rows.at(middle).atMs)) low = middle + 1;
    else high = middle;
  }
  return low;
}

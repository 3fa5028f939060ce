/**
 * Drops the rows of a page that earlier pages of the walk have had: new rows shift what is behind an offset cursor, and pages repeat.
 */
import type { Row } from '../../model/report.ts';

/** Pages that are remembered: more than can be pushed back by new rows while one is being read. */
const maxRememberedPages = 20;

export class NewRows {
  /** The last pages that had new rows, each a JSON array. */
  readonly #recent: string[] = [];
  readonly #dateKey: string;

  /** @param dateField the one that the report is sorted by */
  constructor(dateField: string) {
    this.#dateKey = `"${dateField}":"`;
  }

  /** The new rows of the next page, `[]` if there are none. Both are JSON arrays. */
  of(rows: string): string {
    const last = this.#recent.at(-1);
    const fresh = last === undefined || this.#isOlder(rows, last) ? rows : this.#withoutRepeated(rows);
    if (fresh !== '[]') this.#recent.push(fresh);
    if (this.#recent.length > maxRememberedPages) this.#recent.shift();
    return fresh;
  }

  #withoutRepeated(rows: string): string {
    const seen = new Set(this.#recent.flatMap((page) => parse(page).map(identity)));
    return JSON.stringify(parse(rows).filter((row) => !seen.has(identity(row))));
  }

  /** Whether all rows are older than all of another page, as on nearly every page. Dates tell, without parsing the rows. */
  #isOlder(rows: string, before: string): boolean {
    const [oldest = ''] = this.#datesIn(before).toSorted();
    return this.#datesIn(rows).every((date) => date !== '' && date < oldest);
  }

  /** The dates of rows, all canonical; an empty one counts as older than any. */
  #datesIn(rows: string): readonly string[] {
    const dates: string[] = [];
    for (let at = rows.indexOf(this.#dateKey); at !== -1; at = rows.indexOf(this.#dateKey, at)) {
      at += this.#dateKey.length;
      dates.push(rows.slice(at, rows.indexOf('"', at)));
    }
    return dates;
  }
}

const parse = (rows: string) => JSON.parse(rows) as readonly Row[];
/** The whole row: the identity of the cache would take two rows of unknown contacts for one. */
const identity = (row: Row) => JSON.stringify(row);

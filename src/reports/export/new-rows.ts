/**
 * Drops rows that earlier pages of the walk contained: new rows shift offset cursors, so pages repeat rows.
 */
import type { Row } from '../../model/list.ts';

/** Pages kept: more than new rows can push back while one page is read. */
const maxRememberedPages = 20;

export class NewRows {
  /** The last pages that had new rows, each a JSON array. */
  readonly #recent: string[] = [];
  readonly #dateKey: string;

  /** @param dateField field that sorts the report */
  constructor(dateField: string) {
    this.#dateKey = `"${dateField}":"`;
  }

  /** Returns the new rows of the next page, a JSON array like `rows`; `[]` without any. */
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

  /** Whether all rows are older than those of another page, as on nearly every page. Compares dates without parsing the rows. */
  #isOlder(rows: string, before: string): boolean {
    const [oldest = ''] = this.#datesIn(before).toSorted();
    return this.#datesIn(rows).every((date) => date !== '' && date < oldest);
  }

  /** Returns the dates of rows, all canonical; an empty one sorts as the oldest. */
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
/** The whole row: the cache's identity would merge two rows without contacts. */
const identity = (row: Row) => JSON.stringify(row);

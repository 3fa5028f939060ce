/**
 * Describes a list whose pages callers follow by cursor.
 */
import type { Item, ListName, ParsedPage, Resource } from './resource.ts';

/** One row, as callers see it. Values that Constant Contact omits are empty. */
export type Row = Readonly<Record<string, string>>;

/** A parameter that selects rows, besides the date. */
export interface Filter {
  readonly name: 'link_id' | 'status';
}

/** Pure data. */
export interface List<R extends Row = Row> extends Resource<R> {
  readonly name: ListName;
  /** Noun for one row in descriptions: `send`. */
  readonly rowName: string;
  /** In the order of JSON and CSV. */
  readonly fields: readonly (keyof R & string)[];
  readonly dateField: keyof R & string;
  /** Parameter for rows on or after an instant. */
  readonly since: 'created_since' | 'modified_since';
  /** Most rows on a page, and their number by default. */
  readonly maxLimit: number;
  readonly filter?: Filter;
}

/**
 * Filters a page to rows since an instant. Rows come newest first, so nothing follows a page that ends with an older row.
 * That order is not fully documented: an older row in between does not end the walk, nor does a page that starts with its
 * oldest row.
 *
 * @param instant canonical like all non-empty dates in rows: they compare as strings
 */
export function since({ dateField = '' }: Resource, instant: string, { rows, cursor }: ParsedPage): ParsedPage {
  let isWithin = true;
  let first = '';
  let last = '';
  const kept = rows.filter((row: Item) => {
    const date = String(row[dateField] ?? '');
    if (date !== '') {
      isWithin = date >= instant;
      first ||= date;
      last = date;
    }
    return isWithin; // A row without a date goes with the one before it.
  });
  return { rows: kept, cursor: isWithin || first < last ? cursor : undefined };
}

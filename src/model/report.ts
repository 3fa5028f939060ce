/**
 * Describes one of Constant Contact's tracking reports. Each has one file (`sends.ts`); its route, exports, description,
 * cache keys and both adapters follow from it.
 */
import type { z } from 'zod';
import type { OddRows, RowFields } from './rows.ts';

export type ReportName = 'sends';

/** One row of a report, as callers see it. Values that Constant Contact omits are empty. */
export type Row = Readonly<Record<string, string>>;

/** How one version of Constant Contact's API serves a report. */
export interface ReportSource<Item extends Row> {
  /** Last segment of the path: `…/tracking/<segment>`. */
  readonly segment: string;
  /** Source of each field, in the order of `Report.fields`. */
  readonly fields: RowFields<keyof Item & string>;
}

/** Pure data. Rows are sorted newest first. */
export interface Report<Item extends Row = Row> {
  /** Name in Sendgate's paths and in every cache key. */
  readonly name: ReportName;
  /** Noun for one row in descriptions: `send`. */
  readonly rowName: string;
  /** Describes a row, and parses it from a rendered page. */
  readonly schema: z.ZodType<Item>;
  /** v2's documented fields, in the order of JSON and CSV. */
  readonly fields: readonly (keyof Item & string)[];
  /** Field that rows are sorted by: a canonical instant, or empty. */
  readonly dateField: keyof Item & string;
  /** Returns an identity that is unique within a campaign and report. */
  identity(row: Item): string;
  readonly v2: ReportSource<Item>;
  readonly v3: ReportSource<Item>;
}

/** A page of a report, as parsed by an adapter. */
export interface ReportPage {
  /** Newest first. */
  readonly rows: readonly Row[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
  /** Fields that deviate from the documentation, if any. */
  readonly odd?: OddRows;
}

/**
 * Filters a page to rows since an instant. Rows come newest first, so nothing follows a page that ends with an older row.
 * That order is not fully documented: an older row in between does not end the walk, nor does a page that starts with its
 * oldest row.
 *
 * @param createdSince canonical like all non-empty dates in rows: they compare as strings
 */
export function since({ dateField }: Report, createdSince: string, { rows, cursor }: ReportPage): ReportPage {
  let isWithin = true;
  let first = '';
  let last = '';
  const kept = rows.filter(({ [dateField]: date = '' }) => {
    if (date !== '') {
      isWithin = date >= createdSince;
      first ||= date;
      last = date;
    }
    return isWithin; // A row without a date goes with the one before it.
  });
  return { rows: kept, cursor: isWithin || first < last ? cursor : undefined };
}

/**
 * Returns the newest date of the rows in milliseconds; undefined if no row has a date. Checks all rows, since their order is
 * not certain.
 */
export function newest({ dateField }: Report, rows: readonly Row[]): number | undefined {
  let latest: number | undefined;
  for (const { [dateField]: date = '' } of rows) {
    const at = Date.parse(date);
    if (!Number.isNaN(at) && (latest === undefined || at > latest)) latest = at;
  }
  return latest;
}

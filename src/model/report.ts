/**
 * What Sendgate has to know about a tracking report of Constant Contact's. Each report has one file that says it
 * (`sends.ts`); its route, exports, description, place in the cache and both adapters follow.
 */
import type { z } from 'zod';
import type { OddRows, RowFields } from './rows.ts';

export type ReportName = 'sends';

/** One row of a report, as callers see it. What Constant Contact does not say is an empty text. */
export type Row = Readonly<Record<string, string>>;

/** How one version of Constant Contact's API answers a report. */
export interface ReportSource<Item extends Row> {
  /** The last part of the path: `…/tracking/<segment>`. */
  readonly segment: string;
  /** Where each field comes from, in the order of `Report.fields`. */
  readonly fields: RowFields<keyof Item & string>;
}

/** Pure data. Rows come newest first. */
export interface Report<Item extends Row = Row> {
  /** In Sendgate's paths and in every cache key. */
  readonly name: ReportName;
  /** What one row is called in descriptions: `send`. */
  readonly rowName: string;
  /** Describes a row, and reads it out of a rendered page. */
  readonly schema: z.ZodType<Item>;
  /** v2's documented fields: the order of JSON and of CSV. */
  readonly fields: readonly (keyof Item & string)[];
  /** The field that rows are sorted by: canonical instants, or empty. */
  readonly dateField: keyof Item & string;
  /** Tells a row from all others of the same campaign and report. */
  identity(row: Item): string;
  readonly v2: ReportSource<Item>;
  readonly v3: ReportSource<Item>;
}

/** A page of a report, as an adapter has read it. */
export interface ReportPage {
  /** Newest first. */
  readonly rows: readonly Row[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
  /** Fields that were not as documented, if any. */
  readonly odd?: OddRows;
}

/**
 * The rows of a page from an instant on. Rows come newest first, so nothing can follow a page that ends with an older one. That
 * order is all but documented: an older row in between ends nothing, nor does a page that begins with its oldest row.
 *
 * @param createdSince canonical, as all dates in rows are unless empty: they compare as texts
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
    return isWithin; // A row without a date belongs to the one before it.
  });
  return { rows: kept, cursor: isWithin || first < last ? cursor : undefined };
}

/** The newest date among the rows, in milliseconds; undefined if none has a date. It looks at all rows, as order is not certain. */
export function newest({ dateField }: Report, rows: readonly Row[]): number | undefined {
  let latest: number | undefined;
  for (const { [dateField]: date = '' } of rows) {
    const at = Date.parse(date);
    if (!Number.isNaN(at) && (latest === undefined || at > latest)) latest = at;
  }
  return latest;
}

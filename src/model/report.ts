/**
 * Describes one of Constant Contact's tracking reports of a campaign. Each has one file (`sends.ts`); its route, exports,
 * description, cache keys and both adapters follow from it.
 */
import type { List, Row } from './list.ts';
import type { ReportName } from './resource.ts';
import type { RowFields } from './rows.ts';

/** How one version of Constant Contact's API serves a report. */
export interface ReportSource<R extends Row> {
  /** Last segment of the path: `…/tracking/<segment>`. */
  readonly segment: string;
  /** Source of each field, in the order of `Report.fields`. */
  readonly fields: RowFields<keyof R & string>;
}

/** Pure data. Rows are sorted newest first. */
export interface Report<R extends Row = Row> extends List<R> {
  readonly name: ReportName;
  readonly v2: ReportSource<R>;
  readonly v3: ReportSource<R>;
}

/**
 * A query for one page of a report.
 */
import type { ReportName } from './report.ts';

/** A form of page other than Sendgate's own: Constant Contact v2's, for programs written for it. */
export type PageForm = 'v2';

/** Fields shared by all pages of a walk. */
export interface Walk {
  readonly report: ReportName;
  /** The id in the request. */
  readonly campaign: string;
  /** Canonical instant: UTC with milliseconds. */
  readonly createdSince?: string | undefined;
  readonly form?: PageForm | undefined;
}

/** The first page of a walk. */
export interface FirstPage extends Walk {
  readonly kind: 'first';
  /** Rows a page, 1–500. */
  readonly limit: number;
}

/** A later page of a walk. Its cursor includes the limit. */
export interface NextPage extends Walk {
  readonly kind: 'next';
  readonly cursor: string;
}

/** A first or later page; only the parser decides which. */
export type PageQuery = FirstPage | NextPage;

/** Returns the query of the page behind a cursor, in the same walk. */
export function pageBehind({ report, campaign, createdSince, form }: Walk, cursor: string): NextPage {
  return { kind: 'next', report, campaign, createdSince, form, cursor };
}

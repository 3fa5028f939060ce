/**
 * A query for one page of a report.
 */
import type { ReportName } from './report.ts';

/** The form of a page other than Sendgate's own: Constant Contact v2's, for programs written for it. */
export type PageForm = 'v2';

/** What all pages of one walk have in common. */
export interface Walk {
  readonly report: ReportName;
  /** The id in the request. */
  readonly campaign: string;
  /** Canonical instant: UTC with milliseconds. */
  readonly createdSince?: string | undefined;
  readonly form?: PageForm | undefined;
}

/** The page with which a walk begins. */
export interface FirstPage extends Walk {
  readonly kind: 'first';
  /** Rows a page, 1–500. */
  readonly limit: number;
}

/** A later page of a walk. Its cursor carries the number of rows. */
export interface NextPage extends Walk {
  readonly kind: 'next';
  readonly cursor: string;
}

/** Which of the two it is, the parser decides and nobody else. */
export type PageQuery = FirstPage | NextPage;

/** The page behind a cursor, in the same walk. */
export function pageBehind({ report, campaign, createdSince, form }: Walk, cursor: string): NextPage {
  return { kind: 'next', report, campaign, createdSince, form, cursor };
}

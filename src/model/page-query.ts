/**
 * A question for one page of a report.
 */

/** In whose form a page is: Sendgate's, or that of Constant Contact v2, for programs written for it. */
export type PageForm = 'v2';

/** One page of a campaign's sends: a walk's first page (`limit`), or the one behind a cursor. */
export interface PageQuery {
  readonly campaign: string;
  /** Canonical instant: UTC with milliseconds. */
  readonly createdSince?: string | undefined;
  /** Sends a page, 1–500. A cursor carries its own, so this decides nothing where there is one. */
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly form?: PageForm | undefined;
}

/**
 * How pages are written and read, which is their report's business, and what the cache takes from it.
 */
import type { PageQuery } from '../model/page-query.ts';
import { newest, type ReportName, type ReportPage, type Row } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { identityOf } from './compression.ts';
import { makeBody, type Page, type RenderedContent } from './page.ts';

export interface PageFormat {
  readonly render: (query: PageQuery, page: ReportPage) => { readonly json: string; readonly next: string | undefined };
  /** The rows out of what was rendered. @throws when it is no page */
  readonly readRows: (report: ReportName, json: string) => readonly Row[];
  /** Makes what is answered; simulations, which answer nobody, bring their own. */
  readonly encode?: typeof makeBody;
}

/** A page as it is rendered, and what is known of it by its rows. */
export function contentOf({ render }: PageFormat, query: PageQuery, page: ReportPage): RenderedContent {
  const { json, next } = render(query, page);
  const [first] = page.rows;
  const report = reports[query.report];
  return {
    ...{ json, next, cursor: page.cursor, newestMs: newest(report, page.rows) },
    first: first === undefined ? '' : report.identity(first),
  };
}

/** The rows of a page that is held. */
export async function rowsOf({ readRows }: PageFormat, report: ReportName, { body }: Page): Promise<readonly Row[]> {
  return readRows(report, (await identityOf(body)).toString());
}

/** The body of a content: one that is held, where it has the same content, is kept. */
export async function bodyFor(
  { encode = makeBody }: PageFormat,
  content: Parameters<typeof makeBody>[0],
  etag: string,
  held: readonly (Page | undefined)[],
) {
  const same = held.find((page) => page?.body.etag === etag);
  return same ? same.body : encode(content, etag);
}

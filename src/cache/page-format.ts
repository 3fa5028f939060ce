/**
 * Renders pages to JSON and reads them back, and derives what the cache needs.
 */
import type { PageQuery } from '../model/page-query.ts';
import { newest, type ReportName, type ReportPage, type Row } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { identityOf } from './compression.ts';
import { makeBody, type Page, type RenderedContent } from './page.ts';

export interface PageFormat {
  readonly render: (query: PageQuery, page: ReportPage) => { readonly json: string; readonly next: string | undefined };
  /** Reads rows from rendered JSON. @throws if it is not a page */
  readonly readRows: (report: ReportName, json: string) => readonly Row[];
  /** Encodes the body. Default `makeBody`; simulations, which serve no one, replace it. */
  readonly encode?: typeof makeBody;
}

/** Renders a page and derives its metadata from its rows. */
export function contentOf({ render }: PageFormat, query: PageQuery, page: ReportPage): RenderedContent {
  const { json, next } = render(query, page);
  const [first] = page.rows;
  const report = reports[query.report];
  return {
    ...{ json, next, cursor: page.cursor, newestMs: newest(report, page.rows) },
    first: first === undefined ? '' : report.identity(first),
  };
}

/** Reads the rows of a cached page. */
export async function rowsOf({ readRows }: PageFormat, report: ReportName, { body }: Page): Promise<readonly Row[]> {
  return readRows(report, (await identityOf(body)).toString());
}

/** Returns the body for a content; reuses a cached body with the same ETag. */
export async function bodyFor(
  { encode = makeBody }: PageFormat,
  content: Parameters<typeof makeBody>[0],
  etag: string,
  held: readonly (Page | undefined)[],
) {
  const same = held.find((page) => page?.body.etag === etag);
  return same ? same.body : encode(content, etag);
}

/**
 * Renders the body that callers get: Constant Contact v2's, with the pagination link rewritten to Sendgate's.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Report, ReportName, ReportPage, Row } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { strictRows } from '../model/rows.ts';
import { nextLink } from './links.ts';
import { dropInLink } from './v2-compat/drop-in.ts';

const meta = z.object({
  pagination: z.object({
    next_link: z.string().optional().meta({ description: 'The next page; missing on the last page' }),
  }),
});

/** The schema of a report's page. */
export const pageSchemaOf = ({ schema }: Report) => z.object({ meta, results: z.array(schema) });
type PageJson = z.output<ReturnType<typeof pageSchemaOf>>;

export interface RenderedPage {
  readonly json: string;
  /** Target of the `Link` header; undefined on the last page. */
  readonly next: string | undefined;
}

/** Renders a page. Runs once, when the page arrives. */
export function renderPage(basePath: string, query: PageQuery, { rows, cursor }: ReportPage): RenderedPage {
  const step = cursor === undefined ? undefined : pageBehind(query, cursor);
  const link = step && (query.form === 'v2' ? dropInLink(step) : nextLink(basePath, step));
  // A v2 client prefixes links in a body with its base address, which includes the base path.
  const next = link && query.form === 'v2' ? `${basePath}${link}` : link;
  const body = { meta: { pagination: link === undefined ? {} : { next_link: link } }, results: [...rows] };
  return { json: JSON.stringify(body satisfies PageJson), next };
}

/** Parses the rows of a rendered page. @throws when the page is not of this report */
export function readRows(report: ReportName, json: string): readonly Row[] {
  return strictRows(reports[report].schema).parse(parseJson(resultsOf(json)));
}

/** Returns the rows of a rendered page as a JSON array. Its key occurs nowhere else: a quote inside a string is escaped. */
export function resultsOf(json: string): string {
  return json.slice(json.indexOf(resultsKey) + resultsKey.length, -1);
}

const resultsKey = '"results":';

/**
 * Renders the body that callers get: Constant Contact v2's, with the pagination link rewritten to Sendgate's.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import type { List } from '../model/list.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Item, ParsedPage, ResourceName } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import { strictRows } from '../model/rows.ts';
import { nextLink } from './links.ts';
import { dropInLink } from './v2-compat/drop-in-links.ts';

const meta = z.object({
  pagination: z.object({
    next_link: z.string().optional().meta({ description: 'The next page; missing on the last page' }),
  }),
});

/** The schema of a list's page. */
export const pageSchemaOf = ({ schema }: List) => z.object({ meta, results: z.array(schema) });

export interface RenderedPage {
  readonly json: string;
  /** Target of the `Link` header; undefined on the last page. */
  readonly next: string | undefined;
}

/** Renders a page, or a single item. Runs once, when it arrives. */
export function renderPage(basePath: string, query: PageQuery, { rows, cursor }: ParsedPage): RenderedPage {
  switch (resources[query.resource].body) {
    case 'item':
      return { json: JSON.stringify(rows[0]), next: undefined };
    case 'results':
      return { json: JSON.stringify({ results: rows }), next: undefined };
    case 'page': {
      const step = cursor === undefined ? undefined : pageBehind(query, cursor);
      const link = step && (query.form === 'v2' ? dropInLink(step) : nextLink(basePath, step));
      // A v2 client prefixes links in a body with its base address, which includes the base path.
      const next = link && query.form === 'v2' ? `${basePath}${link}` : link;
      const pagination = link === undefined ? {} : { next_link: link };
      return { json: JSON.stringify({ meta: { pagination }, results: rows }), next };
    }
  }
}

/** Parses the items of a rendered page. @throws when it is not of this resource */
export function readRows(name: ResourceName, json: string): readonly Item[] {
  const { body, schema } = resources[name];
  return strictRows(schema).parse(parseJson(body === 'item' ? `[${json}]` : resultsOf(json)));
}

/** Returns the rows of a rendered page as a JSON array. Its key occurs nowhere else: a quote inside a string is escaped. */
export function resultsOf(json: string): string {
  return json.slice(json.indexOf(resultsKey) + resultsKey.length, -1);
}

const resultsKey = '"results":';

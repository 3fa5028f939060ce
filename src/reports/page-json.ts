/**
 * The body that callers see: Constant Contact's v2, with the pagination link rewritten to Sendgate's own.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import { strictRows } from '../model/rows.ts';
import { type Send, type SendsPage, sendSchema } from '../model/sends.ts';
import { nextLink } from './links.ts';
import { dropInLink } from './v2-compat/drop-in.ts';

export const pageSchema = z.object({
  meta: z.object({
    pagination: z.object({
      next_link: z.string().optional().meta({ description: 'Where the walk goes on; there is none on the last page' }),
    }),
  }),
  results: z.array(sendSchema),
});

export interface RenderedPage {
  readonly json: string;
  /** Target of the `Link` header; undefined on a walk's last page. */
  readonly next: string | undefined;
}

/** Renders one page, once, when it arrives. */
export function renderPage(basePath: string, query: PageQuery, { sends, cursor }: SendsPage): RenderedPage {
  const step = cursor === undefined ? undefined : pageBehind(query, cursor);
  const link = step && (query.form === 'v2' ? dropInLink(step) : nextLink(basePath, step));
  // A v2 client puts its base address, and with it the base path, in front of a link in a body.
  const next = link && query.form === 'v2' ? `${basePath}${link}` : link;
  const body = { meta: { pagination: link === undefined ? {} : { next_link: link } }, results: [...sends] };
  return { json: JSON.stringify(body satisfies z.output<typeof pageSchema>), next };
}

/** The sends out of a rendered page. @throws when it is none */
export function readSends(json: string): readonly Send[] {
  return sendsSchema.parse(parseJson(resultsOf(json)));
}

/** The same as they stand there, a JSON array. A quote before a name never ends a string, so the key stands
 * nowhere else. */
export function resultsOf(json: string): string {
  return json.slice(json.indexOf(resultsKey) + resultsKey.length, -1);
}

const sendsSchema = strictRows(sendSchema);
const resultsKey = '"results":';

/**
 * Parses v3's pages of lists.
 */
import { z } from 'zod';
import { cursorOfHref, linksOf, type NextQuery } from '../model/cursor.ts';
import type { ParsedPage } from '../model/resource.ts';
import { type OddRows, type RowFields, readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import { parseAnswer } from './parse-answer.ts';

/** The last page has no `_links` or `next`, or an `href` of null (vendor's documentation); an empty one is tolerated. */
const page = z.looseObject({
  _links: linksOf(z.object({ next: linksOf(z.object({ href: z.string().nullish() })) })),
});
const rowsOfPage = z.array(z.unknown());

interface V3Page {
  readonly list: readonly unknown[];
  /** Undefined on the last page. */
  readonly next: NextQuery | undefined;
}

/**
 * @param name of the field with the rows
 * @throws Problem `upstream-failed` if the body is not a page
 */
export function readV3Page(name: string, body: string): V3Page {
  const answer = parseAnswer(page, body);
  const { data } = rowsOfPage.safeParse(answer[name]);
  if (!data) throw new Problem('upstream-failed', { reason: 'schema' });
  return { list: data, next: nextOf(answer._links?.next?.href) };
}

/**
 * Parses rows of texts. Throws like `readV3Page`.
 *
 * @param campaign the id in the request
 */
export function parseV3Page(name: string, fields: RowFields, body: string, campaign: string): ParsedPage {
  const { list, next } = readV3Page(name, body);
  const read = readRows(fields, list, campaign);
  if (!read) throw new Problem('upstream-failed', { reason: 'schema' });
  const { rows, odd } = read;
  const oddRows: OddRows = next?.isOdd ? new Map(odd).set('link', 1) : odd;
  return { rows, cursor: next?.cursor, ...(oddRows.size > 0 && { odd: oddRows }) };
}

function nextOf(href: string | null | undefined) {
  if (!href) return undefined;
  const next = cursorOfHref(href);
  if (!next) throw new Problem('upstream-failed', { reason: 'schema' });
  return next;
}

/**
 * Parses v2's pages of lists.
 */
import { z } from 'zod';
import { cursorOfLink, linksOf } from '../model/cursor.ts';
import type { ParsedPage } from '../model/resource.ts';
import { type RowFields, readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import { parseAnswer } from './parse-answer.ts';

/** The last page is documented as `{}`; null, an empty string or list, and a missing `meta` are tolerated. */
const page = z.object({
  meta: linksOf(z.object({ pagination: linksOf(z.object({ next_link: z.string().nullish() })) })),
  results: z.array(z.unknown()),
});

/**
 * @param campaign the id in the request
 * @throws Problem `upstream-failed` if the body is not a page
 */
export function parseV2Page(fields: RowFields, body: string, campaign: string): ParsedPage {
  const { meta, results } = parseAnswer(page, body);
  const read = readRows(fields, results, campaign);
  if (!read) throw new Problem('upstream-failed', { reason: 'schema' });
  const { rows, odd } = read;
  return { rows, cursor: cursorOf(meta?.pagination?.next_link), ...(odd.size > 0 && { odd }) };
}

function cursorOf(link: string | null | undefined): string | undefined {
  if (!link) return undefined;
  const cursor = cursorOfLink(link);
  if (cursor === undefined) throw new Problem('upstream-failed', { reason: 'schema' });
  return cursor;
}

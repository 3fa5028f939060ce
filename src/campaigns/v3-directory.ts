/**
 * Makes pages of the directory with v3: joins its list of campaigns with its summaries, 500 at a time, and cuts pages from that.
 */
import type { Made, SourcePage, SourcePages } from '../cache/recipes.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import type { CampaignRow } from '../model/directory.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { V3EmailsRow } from '../model/sources.ts';
import { Problem } from '../problems.ts';
import { type DirectoryPlace, maxBlocks, readPlace, writePlace } from './directory-cursor.ts';
import { firstOf, summariesById } from './v3-summaries.ts';

/** @throws as a lookup of v3's pages, or Problem `invalid-cursor` */
export async function makeDirectoryPage(ids: OtherIds, query: PageQuery, pages: SourcePages): Promise<Made> {
  for (let place = placeOf(query); ; ) {
    const emails = await blockOf(pages, place);
    for (const { id } of emails.rows as readonly V3EmailsRow[]) if (id !== '') ids.addCampaign(id);
    const { rows, end } = cut(query, emails.rows as readonly V3EmailsRow[], place);
    const next = placeAfter(place, end, emails);
    // A filter can leave nothing of a block: the page is empty only if nothing follows it.
    if (rows.length === 0 && next !== undefined) {
      place = next;
      continue;
    }
    const summaries = rows.length === 0 ? [] : await summariesTo(pages, place.number);
    const content = { rows: join(rows, summaries), cursor: next && writePlace(next) };
    return { content, from: [emails, ...summaries], isIncomplete: rows.length > 0 && summaries.length === 0 };
  }
}

function placeOf(query: PageQuery): DirectoryPlace {
  if (query.kind === 'first') return { block: undefined, number: 0, offset: 0, limit: query.limit };
  const place = readPlace(query.cursor);
  if (!place) throw new Problem('invalid-cursor', { reason: 'unreadable' });
  return place;
}

function blockOf(pages: SourcePages, { block }: DirectoryPlace): Promise<SourcePage> {
  const first = firstOf('v3-emails');
  return pages.get(block === undefined ? first : pageBehind(first, block));
}

/** Returns the summaries' pages up to this number, as far as they can be had: both lists are in about the same order. */
async function summariesTo(pages: SourcePages, number: number): Promise<readonly SourcePage[]> {
  const found: SourcePage[] = [];
  let query: PageQuery | undefined = firstOf('v3-summaries');
  while (query && found.length <= number) {
    const page: SourcePage | undefined = await pages.tryGet(query);
    if (!page) return found;
    found.push(page);
    const { cursor } = page.page.body;
    query = cursor === undefined ? undefined : pageBehind(query, cursor);
  }
  return found;
}

function join(rows: readonly V3EmailsRow[], summaries: readonly SourcePage[]): readonly CampaignRow[] {
  const lastRunOf = (id: string) =>
    summaries.map((page) => summariesById(page).get(id)).find((row) => row !== undefined)?.last_run_date ?? '';
  return rows.map((row) => ({ ...row, last_run_date: lastRunOf(row.id) }));
}

/** Returns a page's rows, and the end of what it has considered. */
function cut({ since = '', filter }: PageQuery, all: readonly V3EmailsRow[], { offset, limit }: DirectoryPlace) {
  const isWanted = (row: V3EmailsRow | undefined) =>
    row !== undefined && isListed(row, filter) && row.modified_date >= since;
  const rows: V3EmailsRow[] = [];
  let end = offset;
  for (; end < all.length && rows.length < limit; end++) {
    const row = all[end];
    if (row && isWanted(row)) rows.push(row);
  }
  return { rows, end: all.slice(end).some(isWanted) ? end : all.length };
}

/** Deleted campaigns are listed on request only. */
const isListed = ({ status }: V3EmailsRow, filter: string | undefined) =>
  filter === 'ALL' || (filter === undefined ? status !== 'DELETED' : status === filter);

/**
 * Returns where the next page begins; undefined after the last one.
 *
 * @throws Problem `upstream-failed` if the list has no end
 */
function placeAfter(place: DirectoryPlace, end: number, { rows, page }: SourcePage): DirectoryPlace | undefined {
  if (end < rows.length) return { ...place, offset: end };
  const { cursor } = page.body;
  if (cursor === undefined) return undefined;
  if (place.number >= maxBlocks) throw new Problem('upstream-failed', { reason: 'circle' });
  return { ...place, block: cursor, number: place.number + 1, offset: 0 };
}

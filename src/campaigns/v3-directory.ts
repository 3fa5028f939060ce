/**
 * Makes pages of the directory with v3: joins its list of campaigns with its summaries, 500 at a time, and cuts pages from that.
 */
import type { Made, SourcePage, SourcePages } from '../cache/recipes.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import type { CampaignRow } from '../model/directory.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import type { V3EmailsRow, V3SummariesRow } from '../model/sources.ts';
import { Problem } from '../problems.ts';
import { type DirectoryPlace, maxBlocks, readPlace, writePlace } from './directory-cursor.ts';
import { firstOf } from './v3-summaries.ts';

/** @throws as a lookup of v3's pages, or Problem `invalid-cursor` */
export async function makeDirectoryPage(ids: OtherIds, query: PageQuery, pages: SourcePages): Promise<Made> {
  let place = placeOf(query);
  for (;;) {
    const [emails, summaries] = await Promise.all([blockOf(pages, place), summariesTo(pages, place.number)]);
    for (const { id } of emails.rows) ids.addCampaign(String(id));
    const { rows, end } = cut(query, join(emails, summaries), place);
    const next = placeAfter(place, end, emails);
    // A filter can leave nothing of a block: the page is empty only if nothing follows it.
    if (rows.length > 0 || next === undefined) {
      const content = { rows, cursor: next && writePlace(next) };
      return { content, of: oldest([emails, ...summaries]) };
    }
    place = next;
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

/** Returns the summaries' pages up to this number: both lists are in about the same order. */
async function summariesTo(pages: SourcePages, number: number): Promise<readonly SourcePage[]> {
  const found: SourcePage[] = [];
  let query: PageQuery | undefined = firstOf('v3-summaries');
  while (query && found.length <= number) {
    const page: SourcePage = await pages.get(query);
    found.push(page);
    const { cursor } = page.page.body;
    query = cursor === undefined ? undefined : pageBehind(query, cursor);
  }
  return found;
}

function join(emails: SourcePage, summaries: readonly SourcePage[]): readonly CampaignRow[] {
  const rows = summaries.flatMap((page) => page.rows as readonly V3SummariesRow[]);
  const lastRuns = new Map(rows.map(({ id, last_run_date }) => [id, last_run_date]));
  return (emails.rows as readonly V3EmailsRow[]).map((row) => ({ ...row, last_run_date: lastRuns.get(row.id) ?? '' }));
}

/** Returns a page's rows, and the end of what it has considered. */
function cut({ since = '', filter }: PageQuery, all: readonly CampaignRow[], { offset, limit }: DirectoryPlace) {
  const rows: CampaignRow[] = [];
  let end = offset;
  for (; end < all.length && rows.length < limit; end++) {
    const row = all[end];
    if (row && isListed(row, filter) && row.modified_date >= since) rows.push(row);
  }
  return {
    rows,
    end: all.slice(end).some((row) => isListed(row, filter) && row.modified_date >= since) ? end : all.length,
  };
}

/** Deleted campaigns are listed on request only. */
const isListed = ({ status }: CampaignRow, filter: string | undefined) =>
  filter === 'ALL' || (filter === undefined ? status !== 'DELETED' : status === filter);

/** Returns where the next page begins; undefined after the last one. */
function placeAfter(place: DirectoryPlace, end: number, { rows, page }: SourcePage): DirectoryPlace | undefined {
  if (end < rows.length) return { ...place, offset: end };
  const { cursor } = page.body;
  if (cursor === undefined || place.number >= maxBlocks) return undefined;
  return { ...place, block: cursor, number: place.number + 1, offset: 0 };
}

/** The page of all these that has to be revalidated first. */
const oldest = (pages: readonly SourcePage[]) =>
  pages.reduce((one, other) => (other.page.freshUntil < one.page.freshUntil ? other : one));

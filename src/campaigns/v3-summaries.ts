/**
 * Finds campaigns in v3's summaries: one call answers for the 500 that were sent last.
 */
import type { SourcePage, SourcePages } from '../cache/recipes.ts';
import { noCampaign, type PageQuery, pageBehind } from '../model/page-query.ts';
import type { V3SummariesRow } from '../model/sources.ts';
import { maxBlocks } from './directory-cursor.ts';

export interface SummaryOfCampaign {
  readonly row: V3SummariesRow;
  readonly page: SourcePage;
}

/** Rows of v3's own pages, its maximum. */
const limit = 500;

export const firstOf = (resource: 'v3-emails' | 'v3-summaries'): PageQuery => ({
  ...{ kind: 'first', resource, campaign: noCampaign, limit },
});

/** Finds a campaign by any of its ids in cached summaries, whatever their age. */
export async function heldSummary(
  pages: Pick<SourcePages, 'held'>,
  ids: ReadonlySet<string>,
): Promise<SummaryOfCampaign | undefined> {
  let query = firstOf('v3-summaries');
  // Cursors could lead in a circle.
  for (let n = 0; n < maxBlocks; n++) {
    const page = await pages.held(query);
    const row = page && rowIn(page, ids);
    if (row) return { row, page };
    const cursor = page?.page.body.cursor;
    if (cursor === undefined) return undefined;
    query = pageBehind(query, cursor);
  }
  return undefined;
}

function rowIn({ rows }: SourcePage, ids: ReadonlySet<string>): V3SummariesRow | undefined {
  return (rows as readonly V3SummariesRow[]).find(({ id }) => ids.has(id));
}

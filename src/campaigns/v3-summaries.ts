/**
 * Finds campaigns in v3's summaries: one call answers for the 500 that were sent last.
 */
import type { SourcePage, SourcePages } from '../cache/recipes.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import type { Item } from '../model/resource.ts';
import type { V3SummariesRow } from '../model/sources.ts';

export interface SummaryOfCampaign {
  readonly row: V3SummariesRow;
  readonly page: SourcePage;
  /** When the campaign was sent last, in milliseconds; undefined if it does not say. */
  readonly lastRunMs: number | undefined;
}

/** Rows of v3's pages, its maximum. */
const limit = 500;

export const firstOf = (resource: 'v3-emails' | 'v3-summaries'): PageQuery => ({
  ...{ kind: 'first', resource, campaign: noCampaign, limit },
});

/** The summaries of the campaigns that were sent last; undefined if they cannot be had. */
export const lastSent = (pages: Pick<SourcePages, 'tryGet'>) => pages.tryGet(firstOf('v3-summaries'));

/** Finds a campaign by any of its ids. */
export function summaryIn(page: SourcePage | undefined, ids: readonly string[]): SummaryOfCampaign | undefined {
  if (!page) return undefined;
  const byId = summariesById(page);
  const row = ids.map((id) => byId.get(id)).find((one) => one !== undefined);
  return row && { row, page, lastRunMs: millisecondsOf(row.last_run_date) };
}

/** Rows by campaign, made once for rows that are asked for again and again. */
const indexes = new WeakMap<readonly Item[], ReadonlyMap<string, V3SummariesRow>>();

export function summariesById({ rows }: SourcePage): ReadonlyMap<string, V3SummariesRow> {
  const known = indexes.get(rows);
  if (known) return known;
  const index = new Map((rows as readonly V3SummariesRow[]).map((row) => [row.id, row]));
  indexes.set(rows, index);
  return index;
}

export function millisecondsOf(date: string): number | undefined {
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? undefined : ms;
}

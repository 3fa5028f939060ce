/**
 * Makes the directory, campaigns, summaries and links from v3's answers.
 */
import type { Recipes, SourcePage, SourcePages } from '../cache/recipes.ts';
import type { Campaign, Counts, Summary } from '../model/campaign.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { SourceName } from '../model/resource.ts';
import type { V3Email, V3Stats, V3SummariesRow } from '../model/sources.ts';
import { makeDirectoryPage } from './v3-directory.ts';
import { heldSummary, type SummaryOfCampaign, summaryOf } from './v3-summaries.ts';

export const v3Recipes = (ids: OtherIds): Recipes => ({
  campaigns: { source: 'v3-emails', make: (query, pages) => makeDirectoryPage(ids, query, pages) },
  campaign: {
    source: 'v3-email',
    async make(query, pages) {
      const source = await pages.get(itemOf('v3-email', ids, query));
      const { campaign, activities, ...email } = source.rows[0] as V3Email;
      const summary = await summaryOf(pages, new Set([...ids.allOf(query.campaign), campaign]));
      const last_run_date = summary?.row.last_run_date ?? '';
      const { name, status, modified_date, subject, from_name, from_email, created_date } = email;
      const sender = { subject, from_name, from_email };
      const item: Campaign = {
        ...{ id: query.campaign, name, status, modified_date, last_run_date, ...sender, created_date, activities },
      };
      return { content: { rows: [item], cursor: undefined }, of: source, dateMs: dateOf(last_run_date) };
    },
  },
  summary: {
    source: 'v3-stats',
    async make(query, pages) {
      const summary = await heldSummary(pages, new Set(ids.allOf(query.campaign)));
      const dateMs = dateOf(summary?.row.last_run_date ?? '');
      if (summary && isOfCampaign(ids, query, summary) && pages.isFresh(summary.page, dateMs)) {
        return madeOf(query, pages, summary, dateMs);
      }
      const source = await pages.get(itemOf('v3-stats', ids, query));
      const { refreshed_at, ...counts } = source.rows[0] as V3Stats;
      const item = summaryItem(query, counts, refreshed_at || asOf(pages, source));
      return { content: { rows: [item], cursor: undefined }, of: source, dateMs };
    },
  },
  links: {
    source: 'v3-links',
    async make(query, pages) {
      const source = await pages.get(itemOf('v3-links', ids, query));
      const summary = await heldSummary(pages, new Set(ids.allOf(query.campaign)));
      const dateMs = dateOf(summary?.row.last_run_date ?? '');
      return { content: { rows: source.rows, cursor: undefined }, of: source, dateMs };
    },
  },
});

/** Whether a campaign was asked for, not its activity: its summary counts resends, too. */
const isOfCampaign = (ids: OtherIds, { campaign }: PageQuery, { row }: SummaryOfCampaign) =>
  campaign === row.id || ids.activityOf(campaign) !== campaign;

/** Answers about one campaign are cached under its activity's id. */
const itemOf = (resource: SourceName, ids: OtherIds, { campaign }: PageQuery): PageQuery => ({
  ...{ kind: 'first', resource, campaign: ids.activityOf(campaign), limit: 1 },
});

function madeOf(query: PageQuery, pages: SourcePages, { row, page }: SummaryOfCampaign, dateMs: number | undefined) {
  const { id: _, last_run_date: __, ...counts }: V3SummariesRow = row;
  const rows = [summaryItem(query, counts, asOf(pages, page))];
  return { content: { rows, cursor: undefined }, of: page, dateMs };
}

const summaryItem = ({ campaign }: PageQuery, counts: Counts, as_of: string): Summary => ({
  campaign_id: campaign,
  ...counts,
  as_of,
});

const asOf = (pages: SourcePages, page: SourcePage) => new Date(pages.fetchedAtMs(page)).toISOString();

function dateOf(date: string): number | undefined {
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? undefined : ms;
}

/**
 * Makes the directory, campaigns, summaries and links from v3's answers.
 */
import type { DateOf, Recipes, SourcePage, SourcePages } from '../cache/recipes.ts';
import type { Campaign, Counts, Summary } from '../model/campaign.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { SourceName } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import type { V3Email, V3Stats, V3SummariesRow } from '../model/sources.ts';
import { makeDirectoryPage } from './v3-directory.ts';
import { firstOf, heldSummary, type SummaryOfCampaign } from './v3-summaries.ts';

export const v3Recipes = (ids: OtherIds): Recipes => ({
  campaigns: { source: 'v3-emails', make: (query, pages) => makeDirectoryPage(ids, query, pages) },
  campaign: {
    source: 'v3-email',
    async make(query, pages) {
      // First, since the answer's freshness depends on them.
      await pages.get(firstOf('v3-summaries'));
      const source = await pages.get(itemOf('v3-email', ids, query));
      const { campaign, activities, ...email } = source.rows[0] as V3Email;
      const summary = await heldSummary(pages, new Set([...ids.allOf(query.campaign), campaign]));
      const { name, status, modified_date, subject, from_name, from_email, created_date } = email;
      const item: Campaign = {
        ...{ id: query.campaign, name, status, modified_date, last_run_date: summary?.row.last_run_date ?? '' },
        ...{ subject, from_name, from_email, created_date, activities },
      };
      return { content: { rows: [item], cursor: undefined }, of: source };
    },
  },
  summary: {
    source: 'v3-stats',
    async make(query, pages) {
      const summary = await heldSummary(pages, new Set(ids.allOf(query.campaign)));
      if (summary && isOfCampaign(ids, query, summary)) {
        const dateMs = dateIn(summary);
        if (pages.isFresh(summary.page, dateMs)) return madeOf(query, pages, summary, dateMs);
      }
      const source = await pages.get(itemOf('v3-stats', ids, query));
      const { refreshed_at, ...counts } = source.rows[0] as V3Stats;
      const item = summaryItem(query, counts, refreshed_at || asOf(pages, source));
      return { content: { rows: [item], cursor: undefined }, of: source };
    },
  },
  links: {
    source: 'v3-links',
    async make(query, pages) {
      const source = await pages.get(itemOf('v3-links', ids, query));
      return { content: { rows: source.rows, cursor: undefined }, of: source };
    },
  },
});

/** Answers about one campaign do not say when it went out: the summaries do, if they are cached. */
export const v3DateOf =
  (ids: OtherIds): DateOf =>
  async ({ resource, campaign }, [item], pages) => {
    if (resources[resource].freshness !== 'campaign') return undefined;
    const known = new Set([...ids.allOf(campaign), String(item?.['campaign'] ?? campaign)]);
    const summary = await heldSummary(pages, known);
    return summary && dateIn(summary);
  };

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

function dateIn({ row }: SummaryOfCampaign): number | undefined {
  const ms = Date.parse(row.last_run_date);
  return Number.isNaN(ms) ? undefined : ms;
}

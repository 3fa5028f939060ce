/**
 * Makes the directory, campaigns and summaries from v3's answers.
 */
import type { DateOf, Recipes, SourcePage, SourcePages } from '../cache/recipes.ts';
import type { Campaign, Counts, Summary } from '../model/campaign.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import { itemQuery, type PageQuery } from '../model/page-query.ts';
import { resources } from '../model/resources.ts';
import type { V3Email, V3Stats } from '../model/sources.ts';
import { makeDirectoryPage } from './v3-directory.ts';
import { lastSent, millisecondsOf, type SummaryOfCampaign, summaryIn } from './v3-summaries.ts';

export const v3Recipes = (ids: OtherIds): Recipes => ({
  campaigns: { source: 'v3-emails', make: (query, pages) => makeDirectoryPage(ids, query, pages) },
  campaign: {
    source: 'v3-email',
    async make({ campaign: id }, pages) {
      const source = await pages.get(itemQuery('v3-email', ids.activityOf(id)));
      const { campaign, activities, ...email } = source.rows[0] as V3Email;
      const summaries = await lastSent(pages);
      const summary = summaryIn(summaries, [campaign, ...ids.allOf(id)]);
      const { name, status, modified_date, subject, from_name, from_email, created_date } = email;
      const item: Campaign = {
        ...{ id, name, status, modified_date, last_run_date: summary?.row.last_run_date ?? '' },
        ...{ subject, from_name, from_email, created_date, activities },
      };
      return { content: itemOf(item), from: [source], isIncomplete: summaries === undefined };
    },
  },
  summary: {
    // Or of the summaries, where a campaign is asked for: they count its resends, too.
    source: 'v3-stats',
    async make(query, pages) {
      const summaries = isActivity(ids, query) ? undefined : await lastSent(pages);
      const summary = summaryIn(summaries, ids.allOf(query.campaign));
      if (summary) return madeOf(query, summary, pages);
      const source = await pages.get(itemQuery('v3-stats', ids.activityOf(query.campaign)));
      const { refreshed_at, ...counts } = source.rows[0] as V3Stats;
      return { content: itemOf(summaryItem(query, counts, refreshed_at || asOf(pages, source))), from: [source] };
    },
  },
});

/** Answers about one campaign do not say when it went out: the summaries do. */
export const v3DateOf =
  (ids: OtherIds): DateOf =>
  async ({ resource, campaign }, [item], pages) => {
    if (resources[resource].freshness !== 'campaign') return undefined;
    const { campaign: asked = campaign, modified_date = '' } = (item ?? {}) as Partial<V3Email>;
    const summary = summaryIn(await lastSent(pages), [asked, ...ids.allOf(campaign)]);
    return summary?.lastRunMs ?? millisecondsOf(modified_date);
  };

/** Whether an activity is asked for, not its campaign. */
const isActivity = (ids: OtherIds, { campaign }: PageQuery) =>
  ids.isActivity(campaign) && ids.activityOf(campaign) === campaign;

function madeOf(query: PageQuery, { row, page, lastRunMs }: SummaryOfCampaign, pages: SourcePages) {
  const { id: _, last_run_date: __, ...counts } = row;
  const content = itemOf(summaryItem(query, counts, asOf(pages, page)));
  return { content, from: [page], freshUntil: pages.freshUntil(page, lastRunMs) };
}

const itemOf = (item: Campaign | Summary) => ({ rows: [item], cursor: undefined });

const summaryItem = ({ campaign }: PageQuery, counts: Counts, as_of: string): Summary => ({
  campaign_id: campaign,
  ...counts,
  as_of,
});

const asOf = (pages: SourcePages, page: SourcePage) => new Date(pages.fetchedAtMs(page)).toISOString();

/**
 * Makes a campaign, its summary and its links from one answer of v2.
 */
import type { Recipe, Recipes, SourcePages } from '../cache/recipes.ts';
import type { Campaign, Summary } from '../model/campaign.ts';
import { itemQuery, type PageQuery } from '../model/page-query.ts';
import type { Item } from '../model/resource.ts';
import type { V2Details } from '../model/sources.ts';

export const v2Recipes: Recipes = {
  campaign: ofDetails((details, id): readonly Campaign[] => {
    const { name, status, modified_date, last_run_date, subject, from_name, from_email, created_date } = details;
    return [
      { id, name, status, modified_date, last_run_date, subject, from_name, from_email, created_date, activities: [] },
    ];
  }),
  summary: ofDetails(({ counts }, campaign_id, asOf): readonly Summary[] => [{ campaign_id, ...counts, as_of: asOf }]),
  links: ofDetails(({ links }) => links),
};

/** @param make from the answer, the campaign's id as in the request, and the time of the answer */
function ofDetails(make: (details: V2Details, id: string, asOf: string) => readonly Item[]): Recipe {
  return {
    source: 'v2-details',
    async make({ campaign }: PageQuery, pages: SourcePages) {
      const details = await pages.get(itemQuery('v2-details', campaign));
      const asOf = new Date(pages.fetchedAtMs(details)).toISOString();
      const rows = make(details.rows[0] as V2Details, campaign, asOf);
      return { content: { rows, cursor: undefined }, from: [details] };
    },
  };
}

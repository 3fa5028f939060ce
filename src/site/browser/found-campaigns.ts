/**
 * Which campaigns of those that are loaded are shown, in which order, and in words.
 */
import type { Campaign } from '../../client/client.ts';
import { type CampaignRow, dateOf } from './campaign-row.ts';
import type { CampaignsRoute, Sort } from './routes.ts';
import { allOf, capital, number, statusInWords } from './words.ts';

export interface Loaded {
  readonly campaign: Campaign;
  readonly row: CampaignRow;
}

/** Returns those with all words of the search in their names, sorted. */
export function found(loaded: Iterable<Loaded>, { q, sort }: CampaignsRoute): readonly Loaded[] {
  const words = q.toLowerCase().split(/\s+/);
  const matching = [...loaded].filter(({ campaign }) => {
    const name = campaign.name.toLowerCase();
    return words.every((word) => name.includes(word));
  });
  return matching.sort((a, b) => orders[sort](a.campaign, b.campaign));
}

const orders: Readonly<Record<Sort, (a: Campaign, b: Campaign) => number>> = {
  newest: (a, b) => compare(dateOf(b), dateOf(a)),
  oldest: (a, b) => compare(dateOf(a), dateOf(b)),
  name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
};

/** Dates are canonical, so they compare as strings. */
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** @param all campaigns that are loaded, and whether there are no others */
export function campaignsInWords(
  count: number,
  all: number,
  isComplete: boolean,
  { q, status }: CampaignsRoute,
): string {
  const which = status === '' ? '' : ` with the status ${statusInWords(status)}`;
  const search = q.trim();
  if (all === 0) return isComplete ? `There are no campaigns${which}.` : '';
  const newest = `${isComplete ? '' : 'the newest '}${number(all)} campaigns${which}`;
  if (search === '') return isComplete ? `${allOf(all, 'campaigns')}${which}.` : `${capital(newest)}.`;
  return count === 0 ? `None of ${newest} has “${search}” in its name.` : `${number(count)} of ${newest}.`;
}

/**
 * The address of every view: `#campaigns?q=…&status=…&sort=…&compare=…`, `#campaign?id=…&report=opens&since=…&link=…`,
 * `#compare?id=…&with=…`, `#live`.
 */
import { isTab, type Tab } from './reports.ts';

const sorts = ['newest', 'oldest', 'name'] as const;
export type Sort = (typeof sorts)[number];
/** Empty: all but deleted ones. */
const statuses = ['', 'SENT', 'RUNNING', 'SCHEDULED', 'DRAFT', 'DELETED'] as const;
export type StatusFilter = (typeof statuses)[number];

export interface CampaignsRoute {
  readonly view: 'campaigns';
  readonly q: string;
  readonly status: StatusFilter;
  readonly sort: Sort;
  /** The id of a campaign for which another is chosen, to compare them; empty otherwise. */
  readonly compare: string;
}

export interface CampaignRoute {
  readonly view: 'campaign';
  readonly id: string;
  readonly tab: Tab;
  /** A date; empty for all rows. */
  readonly since: string;
  /** The id of a link; empty for all clicks. */
  readonly link: string;
}

export interface CompareRoute {
  readonly view: 'compare';
  readonly id: string;
  readonly with: string;
}

export type Route = CampaignsRoute | CampaignRoute | CompareRoute | { readonly view: 'live' };

/** Longer than any id or date. Of more than a request can carry, the rest is left out: Sendgate then says what is wrong. */
const maxCharacters = 100;

/** Sendgate cannot be asked about `.` and `..`, which lead to other paths: of three dots, it says what is wrong. */
const askable = (id: string) => (/^\.{1,2}$/.test(id) ? '...' : id);

/** Reads the fragment of an address. Also those of the first version: `#sends?campaign=…&since=…`. */
export function parseRoute(hash: string): Route {
  const [view = '', search = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  const value = (name: string) => [...(query.get(name)?.trim() ?? '')].slice(0, maxCharacters).join('');
  const campaign = (name: string) => askable(value(name));
  const id = campaign(view === 'sends' ? 'campaign' : 'id');
  if (view === 'live') return { view };
  if ((view === 'campaign' || view === 'sends') && id !== '') {
    const report = value('report').toLowerCase();
    const tab = isTab(report) ? report : 'sends';
    const since = tab === 'links' ? '' : value('since');
    return { view: 'campaign', id, tab, since, link: tab === 'clicks' ? value('link') : '' };
  }
  if (view === 'compare' && id !== '' && campaign('with') !== '') return { view, id, with: campaign('with') };
  return {
    view: 'campaigns',
    q: query.get('q') ?? '',
    status: statusOf(value('status')),
    sort: sortOf(value('sort')),
    // Of two campaigns to compare, one has yet to be chosen.
    compare: view === 'compare' ? id : campaign('compare'),
  };
}

export const sortOf = (text: string) => sorts.find((sort) => sort === text) ?? 'newest';
export const statusOf = (text: string) => statuses.find((status) => status === text.toUpperCase()) ?? '';

/** Formats the fragment of a route, without what is the default. */
export function addressOf(route: Route): string {
  const query = new URLSearchParams(
    Object.entries(parametersOf(route)).filter(([name, value]) => value !== '' && defaults[name] !== value),
  );
  return `#${route.view}${query.size === 0 ? '' : `?${query}`}`;
}

/** The address of a campaign's first tab. */
export const addressOfCampaign = (id: string) => addressOf({ view: 'campaign', id, tab: 'sends', since: '', link: '' });

/** The address of the list in which a campaign is chosen to compare with this one. */
export const addressOfChoice = (id: string) =>
  addressOf({ view: 'campaigns', q: '', status: '', sort: 'newest', compare: id });

const defaults: Readonly<Record<string, string>> = { sort: 'newest', report: 'sends' };

function parametersOf(route: Route): Readonly<Record<string, string>> {
  switch (route.view) {
    case 'live':
      return {};
    case 'campaigns':
      return { q: route.q, status: route.status, sort: route.sort, compare: route.compare };
    case 'compare':
      return { id: route.id, with: route.with };
    case 'campaign':
      return { id: route.id, report: route.tab, since: route.since, link: route.link };
  }
}

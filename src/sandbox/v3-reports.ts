/**
 * The sandbox's v3: pages of the tracking reports.
 */
import type { SandboxAnswer } from './answer.ts';
import { isBounceCode } from './bounces.ts';
import type { Campaign } from './campaign.ts';
import {
  firstPage,
  type Listing,
  linkTo,
  type Place,
  readCursor,
  readPageNumber,
  writeCursor,
  writePageNumber,
} from './cursor.ts';
import { urlIdOf } from './links.ts';
import type { Rows } from './rows.ts';
import { v3Errors } from './v3.ts';
import { type V3Report, v3Row } from './v3-rows.ts';

const emptyReport: SandboxAnswer = { status: 200, body: JSON.stringify({ tracking_activities: [] }) };

/**
 * Serves one page of a report of an activity.
 *
 * @param isEmpty whether the activity has no rows yet
 */
export function v3Report(activity: Campaign | undefined, report: V3Report, url: URL, isEmpty: boolean): SandboxAnswer {
  if (isEmpty) return emptyReport;
  if (!activity) return v3Errors.error(404, 'resource.not_found', 'The campaign activity was not found.');
  const place = placeOf(listingOf(activity, report), url);
  if (!place) return v3Errors.error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const { start, limit, rows } = place;
  const end = Math.min(start + limit, rows.size);
  const tracking_activities = [];
  for (let index = start; index < end; index++) {
    const position = activity.indexOf(index, rows.size);
    tracking_activities.push(v3Row(activity, report, rows.at(position), position));
  }
  const links = end < rows.size ? { _links: { next: { href: hrefTo(activity, url, place) } } } : lastLinks(activity);
  return { status: 200, body: JSON.stringify({ tracking_activities, ...links }) };
}

/** Its own filters; there is none by date. */
function listingOf(activity: Campaign, report: V3Report): Listing {
  const { options } = activity;
  const listing = (filters: readonly string[], rows: (query: URLSearchParams) => Rows | undefined) => ({
    ...{ options, filters, rows },
  });
  switch (report) {
    case 'clicks':
      return listing(['url_id'], (query) => {
        const id = query.get('url_id');
        if (id === null) return activity.report('clicks');
        return /^\d+$/.test(id)
          ? activity.clicksOn(activity.urls.findIndex((_, n) => urlIdOf(options.id, n) === id))
          : undefined;
      });
    case 'bounces':
      return listing(['bounce_code'], (query) => {
        const codes = query.getAll('bounce_code');
        if (codes.length === 0) return activity.report('bounces');
        return codes.every(isBounceCode) ? activity.bouncesWith(codes) : undefined;
      });
    case 'unique_opens':
      return listing([], () => activity.uniqueOpens);
    case 'didnotopens':
      return listing([], () => activity.unopened);
    case 'optouts':
      return listing([], () => activity.report('unsubscribes'));
    default:
      return listing([], () => activity.report(report));
  }
}

/**
 * Finds the page of a query. Unknown parameters are refused, as are filters beside a cursor that carries them. Beside a page
 * number they are needed: without them it is a page of all rows.
 */
function placeOf(listing: Listing, { search, searchParams: query }: URL): Place | undefined {
  const { design = 'next', linkFilter } = listing.options;
  const cursor = design === 'cursor' ? 'cursor' : 'next';
  if (linkFilter !== undefined && query.has(cursor)) {
    const [name = '', value] = linkFilter.split('=');
    if (query.get(name) !== value) return undefined;
    query.delete(name);
  }
  const filters = query.has(cursor) && design !== 'page' ? [] : listing.filters;
  if (![...query.keys()].every((name) => name === 'limit' || name === cursor || filters.includes(name)))
    return undefined;
  if (!query.has(cursor)) return firstPage(listing, query);
  if (design !== 'page') return readCursor(listing, search, cursor);
  const number = readPageNumber(query.get('next') ?? '');
  const first = firstPage(listing, query);
  return first && number !== undefined ? { ...first, start: number * first.limit } : undefined;
}

function hrefTo({ options }: Campaign, { pathname }: URL, place: Place): string {
  const { design = 'next', links = 'relative', linkExtra, linkFilter } = options;
  const { start, limit, filter } = place;
  const end = start + limit;
  const queries = {
    cursor: () => `cursor=${writeCursor(options, end, place)}`,
    next: () => `limit=${limit}&next=${writeCursor(options, end, place)}`,
    page: () => `limit=${limit}&next=${writePageNumber(end / limit)}${filter}`,
  };
  return linkTo(
    links,
    pathname,
    [linkExtra, queries[design](), linkFilter].filter((part) => part !== undefined).join('&'),
  );
}

/** The last page has no links, or a null one: both are documented. */
function lastLinks({ options: { lastPage, cursors } }: Campaign) {
  switch (lastPage ?? (cursors === 'time' ? 'null-link' : 'missing')) {
    case 'missing':
      return {};
    case 'null':
      return { _links: { next: null } };
    case 'empty':
      return { _links: { next: '' } };
    case 'null-link':
      return { _links: { next: { href: null } } };
    case 'empty-link':
      return { _links: { next: { href: '' } } };
  }
}

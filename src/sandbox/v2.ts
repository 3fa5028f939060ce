/**
 * The sandbox's v2: responds as documented, reported, or observed in SDKs.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import type { TrackingReport } from './campaign-options.ts';
import { firstPage, isInstant, type Listing, linkTo, readCursor, writeCursor } from './cursor.ts';
import type { ErrorStyle } from './error-shapes.ts';
import { v2Over } from './limit-shapes.ts';
import { linkIdOf } from './links.ts';
import { countSince } from './rows.ts';
import { v2Row } from './v2-rows.ts';

/** v2's errors are always an array, even of one. */
function v2Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify([{ error_key: key, error_message: message }]) };
}

export const v2Errors: ErrorStyle = {
  error: v2Error,
  over: v2Over,
};

export const knows = (names: readonly string[], query: URLSearchParams) =>
  [...query.keys()].every((name) => name === 'api_key' || name === 'access_token' || names.includes(name));

export const v2NotFound = v2Error(404, 'http.status.not_found', 'The campaign was not found.');
export const v2Invalid = v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');

/**
 * Serves one page of a report of a campaign. Unknown parameters are refused.
 *
 * @param link limits the clicks to those on the link with this id
 */
export function v2Report(
  campaign: Campaign | undefined,
  report: TrackingReport,
  link: string | undefined,
  url: URL,
): SandboxAnswer {
  if (!campaign || campaign.details.status === 'REMOVED') return v2NotFound;
  const { pathname, search, searchParams: query } = url;
  const isKnown = knows(['created_since', 'limit', 'next'], query);
  const listing = listingOf(campaign, report, link);
  const place = query.has('next') ? readCursor(listing, search) : firstPage(listing, query);
  if (!place || !isKnown) return v2Invalid;

  const { start, limit, rows } = place;
  const end = Math.min(start + limit, rows.size);
  const results = [];
  for (let index = start; index < end; index++) {
    const position = campaign.indexOf(index, rows.size);
    results.push(v2Row(campaign, report, rows.at(position), position));
  }
  const { links = 'relative', lastPage } = campaign.options;
  const meta =
    end < rows.size
      ? { pagination: { next_link: linkTo(links, pathname, `next=${writeCursor(campaign.options, end, place)}`) } }
      : lastMeta[lastPage ?? 'documented'];
  return { status: 200, body: JSON.stringify({ meta, results }) };
}

function listingOf(campaign: Campaign, report: TrackingReport, link: string | undefined): Listing {
  const all =
    link === undefined
      ? campaign.report(report)
      : campaign.clicksOn(campaign.urls.findIndex((_, n) => linkIdOf(n) === link));
  return {
    options: campaign.options,
    filters: ['created_since'],
    rows: (query) => {
      const since = query.get('created_since');
      if (since === null) return all;
      if (!isInstant(since)) return undefined;
      return { size: countSince(all, Date.parse(since)), at: (index) => all.at(index) };
    },
  };
}

const lastMeta = {
  documented: { pagination: {} },
  empty: { pagination: '' },
  missing: undefined,
  null: { pagination: null },
  'null-link': { pagination: { next_link: null } },
  'empty-link': { pagination: { next_link: '' } },
} as const;

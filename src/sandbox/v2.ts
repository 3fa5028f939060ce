/**
 * The sandbox's v2: responds as documented, reported, or observed in SDKs.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { type TrackingReport, trackingReports } from './campaign-options.ts';
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
  if (!campaign) return v2NotFound;
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

/** Serves a campaign's counts: current ones with `updateSummary=true`, else those of the last scheduled update. */
export function v2Summary(campaign: Campaign | undefined, query: URLSearchParams): SandboxAnswer {
  if (!campaign) return v2NotFound;
  if (!knows(['updateSummary'], query)) return v2Invalid;
  return { status: 200, body: JSON.stringify(trackingSummary(campaign, query.get('updateSummary') === 'true')) };
}

function trackingSummary(campaign: Campaign, isCurrent: boolean) {
  const count = (n: number) => (campaign.options.textCounts ? String(n) : n);
  const counts = trackingReports.map((report) => {
    const rows = isCurrent ? campaign.report(report).size : campaign.sizeAtUpdate(report);
    return [report, count(rows)];
  });
  return { ...Object.fromEntries(counts), spam_count: count(0) };
}

/** Most campaigns per page of the list (vendor's documentation). */
const maxCampaigns = 50;

const statuses = {
  DRAFT: 'DRAFT',
  SCHEDULED: 'SCHEDULED',
  EXECUTING: 'RUNNING',
  DONE: 'SENT',
  ERROR: 'ERROR',
  REMOVED: 'DELETED',
} as const;
const statusWords = ['ALL', 'DELETED', ...Object.values(statuses)] as readonly string[];
const statusOf = ({ options: { status = 'DONE' } }: Campaign) => statuses[status];

/**
 * Serves a page of the list of campaigns, none deleted; sent ones are ordered by last run. The cursor is a page number, as in
 * the vendor's examples.
 */
export function v2Campaigns(campaigns: readonly Campaign[], query: URLSearchParams): SandboxAnswer {
  const place = new URLSearchParams(Buffer.from(query.get('next') ?? '', 'base64url').toString());
  const limit = Number(query.get('limit') ?? place.get('pageSize') ?? maxCampaigns);
  const page = Number(place.get('pageNum') ?? 1);
  const status = query.get('status') ?? place.get('status') ?? 'ALL';
  const since = query.get('modified_since') ?? place.get('modified_since') ?? undefined;
  const isKnown = knows(['limit', 'next', 'status', 'modified_since'], query);
  const areNumbers = [limit, page].every((n) => Number.isInteger(n) && n >= 1) && limit <= maxCampaigns;
  const isValid = areNumbers && statusWords.includes(status) && (since === undefined || isInstant(since));
  if (!isKnown || !isValid) return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const found = campaigns
    .filter((campaign) => status === 'ALL' || statusOf(campaign) === status)
    .filter(({ options }) => since === undefined || options.newestMs >= Date.parse(since));
  if (status === 'SENT') found.sort((a, b) => b.options.newestMs - a.options.newestMs);
  const end = page * limit;
  const results = found.slice(end - limit, end).map((campaign) => ({
    id: campaign.options.id,
    name: `Campaign ${campaign.options.id}`,
    status: statusOf(campaign),
    modified_date: new Date(campaign.options.newestMs).toISOString(),
  }));
  const filters = `${status === 'ALL' ? '' : `&status=${status}`}${since === undefined ? '' : `&modified_since=${since}`}`;
  const next = Buffer.from(`pageNum=${page + 1}&pageSize=${limit}${filters}`).toString('base64url');
  const pagination = end < found.length ? { next_link: `/v2/emailmarketing/campaigns?next=${next}` } : {};
  return { status: 200, body: JSON.stringify({ meta: { pagination }, results }) };
}

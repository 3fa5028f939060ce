/**
 * The sandbox's v2: responds as documented, reported, or observed in SDKs.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { firstPage, isInstant, linkTo, readCursor, writeCursor } from './cursor.ts';
import type { ErrorStyle } from './error-shapes.ts';
import { v2Over } from './limit-shapes.ts';
import { oddly, type RowNames } from './odd.ts';

/** v2's errors are always an array, even of one. */
function v2Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify([{ error_key: key, error_message: message }]) };
}

export const v2Errors: ErrorStyle = {
  error: v2Error,
  over: v2Over,
};

const knows = (names: readonly string[], query: URLSearchParams) =>
  [...query.keys()].every((name) => name === 'api_key' || name === 'access_token' || names.includes(name));

/** Serves one page of a campaign's sends. Unknown parameters are refused. */
export function v2Sends(campaign: Campaign | undefined, url: URL): SandboxAnswer {
  if (!campaign) return v2Error(404, 'http.status.not_found', 'The campaign was not found.');
  const { pathname, search, searchParams: query } = url;
  const isKnown = knows(['created_since', 'limit', 'next'], query);
  const place = query.has('next') ? readCursor(campaign, search) : firstPage(campaign, query);
  if (!place || !isKnown) return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const { start, limit, since } = place;
  const total = since === undefined ? campaign.size : campaign.countSince(Date.parse(since));
  const end = Math.min(start + limit, total);
  const results = [];
  for (let index = start; index < end; index++) results.push(toV2(campaign, campaign.indexOf(index, total)));
  const { links = 'relative', lastPage } = campaign.options;
  const next = `next=${writeCursor(campaign, end, limit, since)}`;
  const meta =
    end < total ? { pagination: { next_link: linkTo(links, pathname, next) } } : lastMeta[lastPage ?? 'documented'];
  return { status: 200, body: JSON.stringify({ meta, results }) };
}

const lastMeta = {
  documented: { pagination: {} },
  empty: { pagination: '' },
  missing: undefined,
  null: { pagination: null },
  'null-link': { pagination: { next_link: null } },
  'empty-link': { pagination: { next_link: '' } },
} as const;

/** Serves a campaign's counts: current ones with `updateSummary=true`. All but the sends are invented. */
export function v2Summary(campaign: Campaign | undefined, query: URLSearchParams): SandboxAnswer {
  if (!campaign) return v2Error(404, 'http.status.not_found', 'The campaign was not found.');
  if (!knows(['updateSummary'], query)) {
    return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');
  }
  const sends = query.get('updateSummary') === 'true' ? campaign.size : campaign.sizeAtUpdate;
  const counts = {
    sends: campaign.options.textCounts ? String(sends) : sends,
    opens: sends >> 1,
    clicks: sends >> 3,
    forwards: 0,
    unsubscribes: 0,
    bounces: 0,
  };
  return { status: 200, body: JSON.stringify({ ...counts, spam_count: 0 }) };
}

/** Most campaigns per page of the list (vendor's documentation). */
const maxCampaigns = 50;

const statuses = { DRAFT: 'DRAFT', SCHEDULED: 'SCHEDULED', EXECUTING: 'RUNNING', DONE: 'SENT' } as const;
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

function toV2(campaign: Campaign, index: number) {
  const { contactId, email, atMs, odd } = campaign.at(index);
  const id = (text: string) => (campaign.options.numericIds ? Number(text) : text);
  const row = {
    activity_type: 'EMAIL_SEND',
    campaign_id: id(campaign.options.id),
    contact_id: id(contactId),
    email_address: email,
    send_date: campaign.dateOf(atMs),
    // Undocumented fields can appear.
    ...(index % 3 === 1 ? { undocumented: { of: 'v2' } } : {}),
  };
  return odd ? oddly(row, odd, names) : row;
}

const names: RowNames = {
  type: 'activity_type',
  campaign: 'campaign_id',
  contact: 'contact_id',
  address: 'email_address',
  date: 'send_date',
};

/**
 * The sandbox's v2: what Constant Contact answers, as far as it is documented, reported, or seen in SDKs.
 */
import type { Campaign } from './campaign.ts';
import { firstPage, linkTo, readCursor, writeCursor } from './cursor.ts';
import type { ErrorStyle } from './fault.ts';
import { v2Over } from './limit-shapes.ts';
import { oddly, type RowNames } from './odd.ts';

export interface SandboxAnswer {
  readonly status: number;
  readonly body: string;
  /** JSON without it. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** v2's errors are an array, also when there is one. */
function v2Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify([{ error_key: key, error_message: message }]) };
}

export const v2Errors: ErrorStyle = {
  error: v2Error,
  noSuchPath: v2Error(404, 'http.status.not_found', 'No such resource.'),
  over: v2Over,
};

const knows = (names: readonly string[], query: URLSearchParams) =>
  [...query.keys()].every((name) => name === 'api_key' || name === 'access_token' || names.includes(name));

/** One page of a campaign's sends. A parameter that it does not know is refused. */
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
  for (let index = start; index < end; index++) results.push(toV2(campaign, index));
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

/** What is known of a campaign without reading its sends: with `updateSummary=true` as it is now. The other counts are made up. */
export function v2Summary(campaign: Campaign | undefined, query: URLSearchParams): SandboxAnswer {
  if (!campaign) return v2Error(404, 'http.status.not_found', 'The campaign was not found.');
  if (!knows(['updateSummary'], query)) {
    return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');
  }
  const sends = query.get('updateSummary') === 'true' ? campaign.size : campaign.sizeAtUpdate;
  const counts = { sends, opens: sends >> 1, clicks: sends >> 3, forwards: 0, unsubscribes: 0, bounces: 0 };
  return { status: 200, body: JSON.stringify({ ...counts, spam_count: 0 }) };
}

/** Campaigns on one page of the list (vendor's documentation). */
const maxCampaigns = 50;

/** A page of the list of campaigns. Its cursor is a page's number, as in the vendor's examples. */
export function v2Campaigns(campaigns: readonly Campaign[], query: URLSearchParams): SandboxAnswer {
  const place = new URLSearchParams(Buffer.from(query.get('next') ?? '', 'base64url').toString());
  const limit = Number(query.get('limit') ?? place.get('pageSize') ?? maxCampaigns);
  const page = Number(place.get('pageNum') ?? 1);
  const isKnown = knows(['limit', 'next'], query);
  const isValid = [limit, page].every((n) => Number.isInteger(n) && n >= 1) && limit <= maxCampaigns;
  if (!isKnown || !isValid) return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const end = page * limit;
  const results = campaigns.slice(end - limit, end).map(({ options: { id, newestMs } }) => ({
    id,
    name: `Campaign ${id}`,
    status: 'SENT',
    modified_date: new Date(newestMs).toISOString(),
  }));
  const next = Buffer.from(`pageNum=${page + 1}&pageSize=${limit}`).toString('base64url');
  const pagination = end < campaigns.length ? { next_link: `/v2/emailmarketing/campaigns?next=${next}` } : {};
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

/**
 * The sandbox's v3: responds as documented.
 */
import { createHash } from 'node:crypto';
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { firstPage, linkTo, type Place, readCursor, readPageNumber, writeCursor, writePageNumber } from './cursor.ts';
import type { ErrorStyle } from './error-shapes.ts';
import { v3Over } from './limit-shapes.ts';
import { oddly, type RowNames } from './odd.ts';

/** Most ids per request for cross references. */
const maxXrefs = 50;

/** Writes one bare object, as on authorization and reporting paths; elsewhere v3 sends an array. */
function v3Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify({ error_key: key, error_message: message }) };
}

export const v3Errors: ErrorStyle = {
  error: v3Error,
  over: v3Over,
};

/** Returns the activity id for a v2 id. */
export function activityIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`activity ${id}`).digest('hex'));
}

/** Returns the campaign id for a v2 id. */
export function campaignIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`campaign ${id}`).digest('hex'));
}

/** Returns v3's contact id for v2's. */
export const contactIdOf = (id: string) => toUuid(`${'0'.repeat(20)}${Number(id).toString(16).padStart(12, '0')}`);

const toUuid = (hex: string) =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;

/** Serves one page of a campaign's sends. */
export function v3Sends(campaign: Campaign | undefined, url: URL): SandboxAnswer {
  if (!campaign) return v3Error(404, 'resource.not_found', 'The campaign activity was not found.');
  const place = placeOf(campaign, url);
  if (!place) return v3Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const { start, limit } = place;
  const end = Math.min(start + limit, campaign.size);
  const tracking_activities = [];
  for (let index = start; index < end; index++) {
    tracking_activities.push(toV3(campaign, campaign.indexOf(index, campaign.size)));
  }
  const links =
    end < campaign.size ? { _links: { next: { href: hrefTo(campaign, url, place) } } } : lastLinks(campaign);
  return { status: 200, body: JSON.stringify({ tracking_activities, ...links }) };
}

/** Finds the page of a query. v3 has no `created_since` and refuses unknown parameters. */
function placeOf(campaign: Campaign, { search, searchParams: query }: URL): Place | undefined {
  const { design = 'next', linkFilter } = campaign.options;
  const cursor = design === 'cursor' ? 'cursor' : 'next';
  if (linkFilter !== undefined && query.has(cursor)) {
    const [name = '', value] = linkFilter.split('=');
    if (query.get(name) !== value) return undefined;
    query.delete(name);
  }
  if (![...query.keys()].every((name) => name === 'limit' || name === cursor)) return undefined;
  if (!query.has(cursor)) return firstPage(campaign, query);
  if (design !== 'page') return readCursor(campaign, search, cursor);
  const number = readPageNumber(query.get('next') ?? '');
  const first = firstPage(campaign, query);
  return first && number !== undefined ? { ...first, start: number * first.limit } : undefined;
}

function hrefTo(campaign: Campaign, { pathname }: URL, { start, limit }: Place): string {
  const { design = 'next', links = 'relative', linkExtra, linkFilter } = campaign.options;
  const end = start + limit;
  const cursor = design === 'page' ? writePageNumber(end / limit) : writeCursor(campaign, end, limit, undefined);
  const query = design === 'cursor' ? `cursor=${cursor}` : `limit=${limit}&next=${cursor}`;
  return linkTo(links, pathname, [linkExtra, query, linkFilter].filter((part) => part !== undefined).join('&'));
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

function toV3(campaign: Campaign, index: number) {
  const { contactId, email, atMs, odd } = campaign.at(index);
  const row = {
    contact_id: contactIdOf(contactId),
    campaign_activity_id: activityIdOf(campaign.options.id),
    tracking_activity_type: 'em_sends',
    email_address: email,
    ...(index % 3 === 0 ? { first_name: 'Ada', last_name: `Sandbox ${contactId}` } : {}),
    ...(index % 7 === 0 ? { deleted_at: '2019-04-10' } : {}),
    created_time: campaign.dateOf(atMs),
  };
  return odd ? oddly(row, odd, names) : row;
}

const names: RowNames = {
  type: 'tracking_activity_type',
  campaign: 'campaign_activity_id',
  contact: 'contact_id',
  address: 'email_address',
  date: 'created_time',
};
/** Response to a user who may not read reports. */
export const v3Denied = v3Error(403, 'access_denied', 'You do not have the privilege to see reports.');

/** `GET /v3/account/user/privileges` */
export function v3Privileges(names: readonly string[]): SandboxAnswer {
  return {
    status: 200,
    body: JSON.stringify(names.map((privilege_name, n) => ({ privilege_id: n + 1, privilege_name }))),
  };
}

/** `GET /v3/emails/campaign_id_xrefs`. Lists only known ids. */
export function v3Xrefs(campaigns: ReadonlyMap<string, Campaign>, query: URLSearchParams): SandboxAnswer {
  const ids = (query.get('v2_email_campaign_ids') ?? '').split(',');
  if (ids.length > maxXrefs || ids.some((id) => !/^\d{1,19}$/.test(id))) {
    const error = { error_key: 'query.param.invalid', error_message: 'A query parameter is not valid.' };
    return { status: 400, body: JSON.stringify([error]) };
  }
  const xrefs = ids
    .filter((id) => campaigns.has(id) && campaigns.get(id)?.options.resendOf === undefined)
    .map((id) => ({
      v2_email_campaign_id: campaigns.get(id)?.options.numericIds ? Number(id) : id,
      campaign_id: campaignIdOf(id),
      campaign_activity_id: activityIdOf(id),
    }));
  return { status: 200, body: JSON.stringify({ xrefs }) };
}

/**
 * The sandbox's v3: what Constant Contact answers, as far as it is documented.
 */
import { createHash } from 'node:crypto';
import type { Campaign } from './campaign.ts';
import { firstPage, readCursor, writeCursor } from './cursor.ts';
import type { ErrorStyle } from './fault.ts';
import type { SandboxAnswer } from './v2.ts';

/** Ids that one call for cross references may ask for. */
const maxXrefs = 50;

/** One bare object, as on authorization and reporting paths; elsewhere an array. */
function v3Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify({ error_key: key, error_message: message }) };
}

export const v3Errors: ErrorStyle = {
  error: v3Error,
  over: {
    second: v3Error(429, 'throttled', 'The service is throttled.'),
    day: v3Error(429, 'quota_exceeded', 'The quota of the day is exceeded.'),
  },
};

/** The campaign activity id of the campaign that v2 knows by `id`. */
export function activityIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`activity ${id}`).digest('hex'));
}

/** The id of the campaign that v2 knows by `id`. */
export function campaignIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`campaign ${id}`).digest('hex'));
}

/** v3's id of the contact that v2 knows by `id`. */
export const contactIdOf = (id: string) => toUuid(`${'0'.repeat(20)}${Number(id).toString(16).padStart(12, '0')}`);

const toUuid = (hex: string) =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;

/** One page of a campaign's activities. */
export function v3Sends(campaign: Campaign | undefined, path: string, query: URLSearchParams): SandboxAnswer {
  if (!campaign) return v3Error(404, 'resource.not_found', 'The campaign activity was not found.');
  const place = query.has('next')
    ? readCursor(campaign, query.get('next') ?? '')
    : query.has('created_since')
      ? undefined // There is no such parameter in v3.
      : firstPage(campaign, query);
  if (!place) return v3Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const { start, limit } = place;
  const end = Math.min(start + limit, campaign.size);
  const tracking_activities = [];
  for (let index = start; index < end; index++) tracking_activities.push(toV3(campaign, index));
  return { status: 200, body: JSON.stringify({ tracking_activities, ..._links(campaign, path, end, limit) }) };
}

/** On the last page there are no links, or one that is null: both are documented. */
function _links(campaign: Campaign, path: string, end: number, limit: number) {
  if (end < campaign.size) {
    const next = writeCursor(campaign, end, limit, undefined);
    return { _links: { next: { href: `${path}?limit=${limit}&next=${next}` } } };
  }
  return campaign.options.cursors === 'time' ? { _links: { next: { href: null } } } : {};
}

function toV3(campaign: Campaign, index: number) {
  const { contactId, email, atMs } = campaign.at(index);
  return {
    contact_id: contactIdOf(contactId),
    campaign_activity_id: activityIdOf(campaign.options.id),
    tracking_activity_type: 'em_sends',
    email_address: email,
    ...(index % 3 === 0 ? { first_name: 'Ada', last_name: `Sandbox ${contactId}` } : {}),
    ...(index % 7 === 0 ? { deleted_at: '2019-04-10' } : {}),
    created_time: new Date(atMs).toISOString(),
  };
}

/** `GET /v3/account/user/privileges` */
export function v3Privileges(names: readonly string[]): SandboxAnswer {
  return {
    status: 200,
    body: JSON.stringify(names.map((privilege_name, n) => ({ privilege_id: n + 1, privilege_name }))),
  };
}

/** `GET /v3/emails/campaign_id_xrefs`: those that are known, and no word of the others. */
export function v3Xrefs(campaigns: ReadonlyMap<string, Campaign>, query: URLSearchParams): SandboxAnswer {
  const ids = (query.get('v2_email_campaign_ids') ?? '').split(',');
  if (ids.length > maxXrefs || ids.some((id) => !/^\d{1,19}$/.test(id))) {
    const error = { error_key: 'query.param.invalid', error_message: 'A query parameter is not valid.' };
    return { status: 400, body: JSON.stringify([error]) };
  }
  const xrefs = ids
    .filter((id) => campaigns.has(id) && campaigns.get(id)?.options.resendOf === undefined)
    .map((id) => ({
      v2_email_campaign_id: id,
      campaign_id: campaignIdOf(id),
      campaign_activity_id: activityIdOf(id),
    }));
  return { status: 200, body: JSON.stringify({ xrefs }) };
}

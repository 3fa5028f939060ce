/**
 * The sandbox's v2: what Constant Contact answers, as far as it is documented, reported, or seen in SDKs.
 */
import type { Campaign } from './campaign.ts';

export interface SandboxAnswer {
  readonly status: number;
  readonly body: string;
}

const maxLimit = 500;

/** v2's errors are an array, also when there is one. */
export function v2Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify([{ error_key: key, error_message: message }]) };
}

/** One page of a campaign's sends. */
export function v2Sends(campaign: Campaign | undefined, path: string, query: URLSearchParams): SandboxAnswer {
  if (!campaign) return v2Error(404, 'http.status.not_found', 'The campaign was not found.');
  const place = query.has('next') ? readCursor(campaign, query.get('next') ?? '') : firstPage(campaign, query);
  if (!place) return v2Error(400, 'query.param.invalid', 'A query parameter is not valid.');

  const { start, limit, since } = place;
  const total = since === undefined ? campaign.size : campaign.countSince(Date.parse(since));
  const end = Math.min(start + limit, total);
  const results = [];
  for (let index = start; index < end; index++) results.push(toV2(campaign, index));
  const pagination = end < total ? { next_link: `${path}?next=${writeCursor(campaign, end, limit, since)}` } : {};
  return { status: 200, body: JSON.stringify({ meta: { pagination }, results }) };
}

function toV2(campaign: Campaign, index: number) {
  const { contactId, email, atMs } = campaign.at(index);
  const id = (text: string) => (campaign.options.numericIds ? Number(text) : text);
  return {
    activity_type: 'EMAIL_SEND',
    campaign_id: id(campaign.options.id),
    contact_id: id(contactId),
    email_address: email,
    send_date: new Date(atMs).toISOString(),
  };
}

interface Place {
  /** Index of the first send, newest first. */
  readonly start: number;
  readonly limit: number;
  readonly since: string | undefined;
}

function firstPage(campaign: Campaign, query: URLSearchParams): Place | undefined {
  const limit = Number(query.get('limit') ?? maxLimit);
  const since = query.get('created_since') ?? undefined;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) return undefined;
  if (since !== undefined && Number.isNaN(Date.parse(since))) return undefined;
  return { start: 0, limit: Math.min(limit, campaign.options.pageSize ?? maxLimit), since };
}

/** The cursor carries the page size and the filter, in one of two forms; base64url without padding. */
function writeCursor(campaign: Campaign, index: number, limit: number, since: string | undefined): string {
  const place =
    campaign.options.cursors === 'time'
      ? `limit=${limit}&next=${campaign.at(index).atMs}`
      : `startAt=${index + 1}&limit=${limit}`;
  return Buffer.from(since === undefined ? place : `${place}&created_since=${since}`).toString('base64url');
}

function readCursor(campaign: Campaign, cursor: string): Place | undefined {
  const place = new URLSearchParams(Buffer.from(cursor, 'base64url').toString());
  const limit = Number(place.get('limit'));
  const start = place.has('next') ? campaign.indexAt(Number(place.get('next'))) : Number(place.get('startAt')) - 1;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit || !Number.isInteger(start) || start < 0)
    return undefined;
  return { start, limit, since: place.get('created_since') ?? undefined };
}

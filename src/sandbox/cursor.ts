/**
 * Where a page begins and how long it is: from a query, or from a cursor.
 */
import type { Campaign } from './campaign.ts';

const maxLimit = 500;

export interface Place {
  /** Index of the first send, newest first. */
  readonly start: number;
  readonly limit: number;
  readonly since: string | undefined;
}

export function firstPage(campaign: Campaign, query: URLSearchParams): Place | undefined {
  const limit = Number(query.get('limit') ?? maxLimit);
  const since = query.get('created_since') ?? undefined;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) return undefined;
  if (since !== undefined && Number.isNaN(Date.parse(since))) return undefined;
  return { start: 0, limit: Math.min(limit, campaign.options.pageSize ?? maxLimit), since };
}

/** The cursor carries the page size and the filter, in one of two forms; base64url without padding. */
export function writeCursor(campaign: Campaign, index: number, limit: number, since: string | undefined): string {
  const place =
    campaign.options.cursors === 'time'
      ? `limit=${limit}&next=${campaign.at(index).atMs}`
      : `startAt=${index + 1}&limit=${limit}`;
  const whole = Buffer.from(since === undefined ? place : `${place}&created_since=${since}`).toString('base64url');
  return campaign.options.cursors === 'odd' ? `${oddCharacters}${whole}==` : whole;
}

/** Nothing forbids them in a cursor. */
const oddCharacters = '+/ %2B&';

export function readCursor(campaign: Campaign, cursor: string): Place | undefined {
  const isOdd = campaign.options.cursors === 'odd';
  if (isOdd && !(cursor.startsWith(oddCharacters) && cursor.endsWith('=='))) return undefined;
  const place = new URLSearchParams(
    Buffer.from(isOdd ? cursor.slice(oddCharacters.length) : cursor, 'base64url').toString(),
  );
  const limit = Number(place.get('limit'));
  const start = place.has('next') ? campaign.indexAt(Number(place.get('next'))) : Number(place.get('startAt')) - 1;
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit || !Number.isInteger(start) || start < 0)
    return undefined;
  return { start, limit, since: place.get('created_since') ?? undefined };
}

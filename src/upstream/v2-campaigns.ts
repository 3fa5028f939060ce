/**
 * Parses v2's campaigns: the list, and one with its counts and links.
 */
import { z } from 'zod';
import { noCounts } from '../model/campaign.ts';
import { type CampaignRow, directory } from '../model/directory.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import type { Item, ParsedPage } from '../model/resource.ts';
import { id, instant, type RowFields, text } from '../model/rows.ts';
import type { V2Details } from '../model/sources.ts';
import { byClicks, countOrNull, dateOrEmpty, idOrEmpty, parseAnswer, someOf, textOrEmpty } from './parse-answer.ts';
import { parseV2Page } from './v2-page.ts';

export const v2Campaigns = '/v2/emailmarketing/campaigns';

const fields: RowFields<keyof CampaignRow> = {
  id: { from: 'id', read: id },
  name: { from: 'name', read: text },
  status: { from: 'status', read: text },
  modified_date: { from: 'modified_date', read: instant },
  last_run_date: 'absent',
};

/** Marks the cursors of deleted campaigns, which follow all others: v2's `ALL` leaves them out (vendor's documentation). */
const deleted = 'deleted ';
const isOfDeleted = (query: PageQuery) =>
  query.filter === 'ALL' && query.kind === 'next' && query.cursor.startsWith(deleted);

/** A cursor includes the limit and the filters. */
export function directoryParameters(query: PageQuery): Readonly<Record<string, string>> {
  const { since, filter } = query;
  const from = since === undefined ? {} : { modified_since: since };
  if (query.kind === 'first') return { limit: String(query.limit), ...from, ...(filter && { status: filter }) };
  if (!isOfDeleted(query)) return { next: query.cursor };
  const cursor = query.cursor.slice(deleted.length);
  return cursor === '' ? { limit: String(directory.maxLimit), ...from, status: 'DELETED' } : { next: cursor };
}

/** Parses a page of the list. Deleted campaigns are on request only. */
export function parseV2Directory(body: string, query: PageQuery): ParsedPage {
  const whole = parseV2Page(fields, body, noCampaign);
  const page = query.kind === 'next' ? { ...whole, rows: whole.rows.filter(isSelected(query)) } : whole;
  const { rows, cursor } = page;
  if (query.filter === undefined) return { ...page, rows: rows.filter(({ status }) => status !== 'DELETED') };
  if (query.filter !== 'ALL') return page;
  if (isOfDeleted(query)) return { ...page, cursor: cursor && `${deleted}${cursor}` };
  return { ...page, cursor: cursor ?? deleted };
}

/** A cursor can be of a walk with other filters, and need not say so. */
const isSelected =
  ({ since = '', filter = 'ALL' }: PageQuery) =>
  ({ modified_date, status }: Item) =>
    (modified_date === '' || String(modified_date) >= since) &&
    (filter === 'ALL' || status === '' || String(status).toUpperCase() === filter);

const counts = z.object({
  ...{ sends: countOrNull, opens: countOrNull, clicks: countOrNull, forwards: countOrNull },
  ...{ unsubscribes: countOrNull, bounces: countOrNull, spam_count: countOrNull },
});

const link = z.object({ url: textOrEmpty, url_uid: idOrEmpty, click_count: countOrNull });

/** `GET …/{id}?updateSummary=true` */
const details = z.object({
  ...{ name: textOrEmpty, status: textOrEmpty, modified_date: dateOrEmpty, last_run_date: dateOrEmpty },
  ...{ subject: textOrEmpty, from_name: textOrEmpty, from_email: textOrEmpty, created_date: dateOrEmpty },
  tracking_summary: counts.nullish().catch(undefined),
  click_through_details: someOf(link),
});

export function parseV2Details(body: string): ParsedPage {
  const { tracking_summary, click_through_details, ...campaign } = parseAnswer(details, body);
  const item: V2Details = {
    ...campaign,
    counts: tracking_summary ?? noCounts,
    links: byClicks(
      click_through_details.map(({ url_uid, url, click_count }) => ({ link_id: url_uid, url, clicks: click_count })),
    ),
  };
  return { rows: [item], cursor: undefined };
}

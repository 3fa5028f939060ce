/**
 * Parses v2's campaigns: the list, and one with its counts and links.
 */
import { z } from 'zod';
import { noCounts } from '../model/campaign.ts';
import type { CampaignRow } from '../model/directory.ts';
import { noCampaign } from '../model/page-query.ts';
import type { ParsedPage } from '../model/resource.ts';
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

/** Deleted campaigns are listed on request only. */
export function parseV2Directory(body: string, filter: string | undefined): ParsedPage {
  const page = parseV2Page(fields, body, noCampaign);
  return filter === undefined ? { ...page, rows: page.rows.filter(({ status }) => status !== 'DELETED') } : page;
}

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

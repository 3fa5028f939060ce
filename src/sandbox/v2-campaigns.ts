/**
 * The sandbox's v2: the list of campaigns, one campaign, its counts.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { countOf, trackingSummary, written } from './counts.ts';
import { isInstant } from './cursor.ts';
import { linkIdOf } from './links.ts';
import { scatter } from './scatter.ts';
import { knows, v2Invalid, v2NotFound } from './v2.ts';
import { v2Id } from './v2-rows.ts';

/** Most campaigns per page of the list (vendor's documentation). */
const maxCampaigns = 50;

const statuses = {
  DRAFT: 'DRAFT',
  SCHEDULED: 'SCHEDULED',
  EXECUTING: 'RUNNING',
  DONE: 'SENT',
  ERROR: 'ERROR', // Not documented: v3's word.
  REMOVED: 'DELETED',
} as const;
const statusWords: readonly string[] = ['ALL', 'DRAFT', 'RUNNING', 'SENT', 'SCHEDULED', 'DELETED'];
const statusOf = ({ details: { status } }: Campaign) => statuses[status];

/**
 * Serves a page of the list of campaigns. The cursor is a page number, as in the vendor's examples: pages shift when the list
 * changes.
 */
export function v2Campaigns(campaigns: readonly Campaign[], query: URLSearchParams): SandboxAnswer {
  const place = new URLSearchParams(Buffer.from(query.get('next') ?? '', 'base64url').toString());
  const limit = Number(query.get('limit') ?? place.get('pageSize') ?? maxCampaigns);
  const page = query.has('next') ? Number(place.get('pageNum')) : 1;
  const status = query.get('status') ?? place.get('status') ?? 'ALL';
  const since = query.get('modified_since') ?? place.get('modified_since') ?? undefined;
  const isKnown = knows(['limit', 'next', 'status', 'modified_since'], query);
  const areNumbers = [limit, page].every((n) => Number.isInteger(n) && n >= 1) && limit <= maxCampaigns;
  const isValid = areNumbers && statusWords.includes(status) && (since === undefined || isInstant(since));
  if (!isKnown || !isValid) return v2Invalid;

  const found = listed(campaigns, status).filter(
    ({ details }) => since === undefined || details.modifiedMs >= Date.parse(since),
  );
  const end = page * limit;
  const results = found.slice(end - limit, end).map(row);
  const sinceFilter = since === undefined ? '' : `&modified_since=${since.replace('+', '%2B')}`;
  const filters = `${status === 'ALL' ? '' : `&status=${status}`}${sinceFilter}`;
  const next = Buffer.from(`pageNum=${page + 1}&pageSize=${limit}${filters}`).toString('base64url');
  const pagination = end < found.length ? { next_link: `/v2/emailmarketing/campaigns?next=${next}` } : {};
  return { status: 200, body: JSON.stringify({ meta: { pagination }, results }) };
}

/** Deleted campaigns are listed only with `status=DELETED`. The order depends on the status (vendor's documentation). */
function listed(campaigns: readonly Campaign[], status: string): Campaign[] {
  const found = campaigns
    .filter(({ options: { resendOf } }) => resendOf === undefined)
    .filter((campaign) => (status === 'ALL' ? statusOf(campaign) !== 'DELETED' : statusOf(campaign) === status));
  const dates: Readonly<Record<string, (details: Campaign['details']) => number>> = {
    SENT: ({ lastRunMs = 0 }) => -lastRunMs,
    RUNNING: ({ lastRunMs = 0 }) => -lastRunMs,
    SCHEDULED: ({ nextRunMs = 0 }) => nextRunMs,
    DELETED: ({ lastRunMs, modifiedMs }) => -(lastRunMs ?? modifiedMs),
  };
  const dateOf = dates[status] ?? (({ modifiedMs }) => -modifiedMs);
  return found.sort((a, b) => dateOf(a.details) - dateOf(b.details));
}

const row = (campaign: Campaign) => ({
  id: v2Id(campaign, campaign.options.id),
  name: campaign.details.name,
  status: statusOf(campaign),
  modified_date: campaign.dateOf(campaign.details.modifiedMs),
});

/**
 * Serves one campaign; deleted ones are unknown. Its counts are those of the last scheduled update, current ones with
 * `updateSummary=true`.
 */
export function v2Campaign(campaign: Campaign | undefined, query: URLSearchParams): SandboxAnswer {
  if (!isServed(campaign)) return v2NotFound;
  if (!knows(['updateSummary'], query)) return v2Invalid;
  const isCurrent = query.get('updateSummary') === 'true';
  const { subject, fromName, fromEmail, createdMs, lastRunMs, nextRunMs } = campaign.details;
  const { id } = campaign.options;
  const body = {
    ...row(campaign),
    subject,
    from_name: fromName,
    from_email: fromEmail,
    reply_to_email: fromEmail,
    template_type: 'CUSTOM',
    created_date: campaign.dateOf(createdMs),
    ...(lastRunMs === undefined ? {} : { last_run_date: campaign.dateOf(lastRunMs) }),
    ...(nextRunMs === undefined ? {} : { next_run_date: campaign.dateOf(nextRunMs) }),
    email_content: `<html><body><p>${subject}</p></body></html>`,
    email_content_format: 'HTML',
    tracking_summary: trackingSummary(campaign, isCurrent),
    sent_to_contact_lists: lastRunMs === undefined ? [] : [{ id: v2Id(campaign, '1'), status: 'ACTIVE' }],
    click_through_details: campaign.urls.map((url, link) => ({
      url,
      url_uid: v2Id(campaign, linkIdOf(link)),
      click_count: written(campaign, countOf(campaign, campaign.clicksOn(link), isCurrent)),
    })),
    permalink_url: `https://mail.example.com/${scatter(Number(id) >>> 0).toString(36)}`,
  };
  return { status: 200, body: JSON.stringify(body) };
}

/** Serves a campaign's counts, as above. */
export function v2Summary(campaign: Campaign | undefined, query: URLSearchParams): SandboxAnswer {
  if (!isServed(campaign)) return v2NotFound;
  if (!knows(['updateSummary'], query)) return v2Invalid;
  return { status: 200, body: JSON.stringify(trackingSummary(campaign, query.get('updateSummary') === 'true')) };
}

const isServed = (campaign: Campaign | undefined): campaign is Campaign =>
  campaign !== undefined && campaign.details.status !== 'REMOVED';

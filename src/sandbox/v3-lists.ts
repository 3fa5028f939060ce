/**
 * The sandbox's v3: lists of campaigns. Limit and filters stand beside the cursor, which is a page number.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { uniqueCounts, written } from './counts.ts';
import { isInstant, readPageNumber, writePageNumber } from './cursor.ts';
import { errorIn } from './error-shapes.ts';
import { campaignIdOf } from './v3.ts';

/** Campaigns on a page by default, and at most. */
const usualLimit = 50;
const maxLimit = 500;

/** A page of a list, and what links to the next one; undefined if the query is invalid. */
function pageOf(all: readonly Campaign[], { pathname, searchParams: query }: URL, filters: readonly string[]) {
  const limit = Number(query.get('limit') ?? usualLimit);
  const number = query.has('next') ? readPageNumber(query.get('next') ?? '') : 0;
  const isKnown = [...query.keys()].every((name) => name === 'limit' || name === 'next' || filters.includes(name));
  if (!isKnown || number === undefined || !Number.isInteger(limit) || limit < 1 || limit > maxLimit) return undefined;
  const end = (number + 1) * limit;
  const kept = [...query].filter(([name]) => filters.includes(name));
  const filter = kept.map(([name, value]) => `&${name}=${encodeURIComponent(value)}`).join('');
  const href = `${pathname}?limit=${limit}&next=${writePageNumber(number + 1)}${filter}`;
  return { page: all.slice(end - limit, end), links: end < all.length ? { _links: { next: { href } } } : {} };
}

const invalid = errorIn('array', 400, 'query.param.invalid', 'A query parameter is not valid.');

const isCampaign = ({ options: { resendOf } }: Campaign) => resendOf === undefined;

/** `GET /v3/emails`: removed ones too, the latest update first. */
export function v3Emails(campaigns: readonly Campaign[], url: URL): SandboxAnswer {
  const { searchParams: query } = url;
  const after = query.get('after_date');
  const before = query.get('before_date');
  if ([after, before].some((date) => date !== null && !isInstant(date))) return invalid;
  const all = campaigns
    .filter(isCampaign)
    .filter(({ details: { modifiedMs } }) => after === null || modifiedMs > Date.parse(after))
    .filter(({ details: { modifiedMs } }) => before === null || modifiedMs < Date.parse(before))
    .sort((a, b) => b.details.modifiedMs - a.details.modifiedMs);
  const found = pageOf(all, url, ['after_date', 'before_date']);
  if (!found) return invalid;
  const rows = found.page.map((campaign) => ({ ...v3Header(campaign), current_status: mixedCase(campaign) }));
  return { status: 200, body: JSON.stringify({ campaigns: rows, ...found.links }) };
}

const mixedCase = ({ details: { status } }: Campaign) => status.charAt(0) + status.slice(1).toLowerCase();

/** What the list says of a campaign, as does the campaign itself. */
export function v3Header(campaign: Campaign) {
  const { name, createdMs, modifiedMs } = campaign.details;
  return {
    campaign_id: campaignIdOf(campaign.options.id),
    name,
    type: 'NEWSLETTER',
    type_code: 10,
    created_at: campaign.dateOf(createdMs),
    updated_at: campaign.dateOf(modifiedMs),
  };
}

/** `GET /v3/reports/summary_reports/email_campaign_summaries`: what was sent, the latest first. */
export function v3Summaries(campaigns: readonly Campaign[], url: URL): SandboxAnswer {
  const sent = campaigns
    .filter(isCampaign)
    .filter(({ details: { status } }) => status === 'DONE')
    .sort((a, b) => (b.details.lastRunMs ?? 0) - (a.details.lastRunMs ?? 0));
  const found = pageOf(sent, url, []);
  if (!found) return invalid;
  const rows = found.page.map((campaign) => summaryOf(campaign, campaigns));
  const percents = { click: 5.2, open: 22.1, did_not_open: 72.7, bounce: 1.3, unsubscribe: 0.2 };
  return {
    status: 200,
    body: JSON.stringify({ bulk_email_campaign_summaries: rows, aggregate_percents: percents, ...found.links }),
  };
}

/** Sums up a campaign with its resends. */
function summaryOf(campaign: Campaign, all: readonly Campaign[]) {
  const campaign_id = campaignIdOf(campaign.options.id);
  if (campaign.options.bareSummary) return { campaign_id };
  const activities = [campaign, ...all.filter(({ options }) => options.resendOf === campaign.options.id)];
  const counted = activities.map(uniqueCounts);
  const names = Object.keys(uniqueCounts(campaign)) as (keyof ReturnType<typeof uniqueCounts>)[];
  const sums = names.map((name) => [name, counted.reduce((sum, counts) => sum + counts[name], 0)] as const);
  const lastRunMs = Math.max(...activities.map(({ details }) => details.lastRunMs ?? 0));
  return {
    campaign_id,
    campaign_type: 'Newsletter',
    last_sent_date: campaign.dateOf(lastRunMs),
    unique_counts: Object.fromEntries(sums.map(([name, count]) => [name, written(campaign, count)])),
  };
}

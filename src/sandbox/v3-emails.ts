/**
 * The sandbox's v3: campaigns, activities and their statistics.
 */

import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { activityIdOf, campaignIdOf, v3Errors } from './v3.ts';

/** Most activities per request for statistics (vendor's documentation). */
const maxStats = 10;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const notFound = (what: string) => v3Errors.error(404, 'resource.not_found', `The ${what} was not found.`);
const json = (value: unknown): SandboxAnswer => ({ status: 200, body: JSON.stringify(value) });
const statusOf = ({ options: { status = 'DONE' } }: Campaign) => status;
const roleOf = ({ options: { resendOf, role = resendOf === undefined ? 'primary_email' : 'resend' } }: Campaign) =>
  role;

/** Whether it has reports; they are empty until it is sent. */
export const hasReports = (campaign: Campaign) => ['primary_email', 'resend'].includes(roleOf(campaign).toLowerCase());

/** Whether it has been sent, at least in part. */
export const hasGoneOut = (campaign: Campaign) => ['EXECUTING', 'DONE'].includes(statusOf(campaign));

/** `GET /v3/emails/{campaign_id}`. The status is in upper case here and in lower case in the list (recorded traffic). */
export function v3Campaign(campaigns: ReadonlyMap<string, Campaign>, campaignId: string): SandboxAnswer {
  const all = [...campaigns.values()];
  const campaign = all.find(
    ({ options: { id, resendOf } }) => resendOf === undefined && campaignIdOf(id) === campaignId,
  );
  if (!campaign) return notFound('campaign');
  const { id, newestMs } = campaign.options;
  const activities = [campaign, ...all.filter(({ options }) => options.resendOf === id)];
  return json({
    campaign_id: campaignId,
    name: `Campaign ${id}`,
    current_status: statusOf(campaign),
    type: 'NEWSLETTER',
    type_code: 10,
    created_at: new Date(newestMs).toISOString(),
    updated_at: new Date(newestMs).toISOString(),
    // An activity without a report comes first, like the permalink in the vendor's examples.
    campaign_activities: [
      { campaign_activity_id: activityIdOf(`${id} permalink`), role: 'permalink' },
      ...activities.map((one) => ({ campaign_activity_id: activityIdOf(one.options.id), role: roleOf(one) })),
    ],
  });
}

/** `GET /v3/emails/activities/{campaign_activity_id}` */
export function v3Activity(campaign: Campaign | undefined, activityId: string): SandboxAnswer {
  if (!campaign) return notFound('campaign activity');
  const { id, resendOf = id } = campaign.options;
  return json({
    campaign_activity_id: activityId,
    campaign_id: campaignIdOf(resendOf),
    role: roleOf(campaign),
    current_status: statusOf(campaign),
    subject: `Subject ${id}`,
    from_name: 'Sandbox',
    from_email: 'sandbox@example.com',
    reply_to_email: 'sandbox@example.com',
  });
}

/**
 * `GET /v3/reports/stats/email_campaign_activities/{ids}`. Ids without statistics (yet) are listed under the errors; one
 * malformed id fails the whole request.
 */
export function v3Stats(find: (activityId: string) => Campaign | undefined, list: string): SandboxAnswer {
  const ids = list.split(',');
  if (ids.length > maxStats || !ids.every((id) => uuid.test(id))) return notFound('campaign activity');
  const results = [];
  const errors = [];
  for (const id of ids) {
    const campaign = find(id);
    if (campaign && statusOf(campaign) === 'DONE') results.push({ ...statsOf(campaign, id), last_refresh_time });
    else errors.push({ error_key: 'reports.activity.not_found', error_message: `There is no ${id}.` });
  }
  return json({ results, errors });
}

/** All counts but the sends are invented. Names of parts have dots in the vendor's guide and underscores in its OpenAPI. */
function statsOf({ size, options: { dottedStats = false, textCounts = false } }: Campaign, id: string) {
  const stats = {
    em_sends: textCounts ? String(size) : size,
    em_opens: size >> 1,
    em_clicks: size >> 3,
    em_forwards: 0,
    em_bounces: 0,
  };
  const parts = { em_opens_all_mobile: size >> 2, em_bounces_suspended: 0 };
  const named = Object.entries(parts).map(([name, n]) => [dottedStats ? name.replace(/(?<=em_.*)_/g, '.') : name, n]);
  return { campaign_activity_id: id, stats: { ...stats, em_optouts: 0, em_abuse: 0, ...Object.fromEntries(named) } };
}

const last_refresh_time = '2026-01-01T00:00:00Z';

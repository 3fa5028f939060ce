/**
 * The sandbox's v3: one campaign, one activity. The status is in upper case here, and in mixed case in the list (recorded
 * traffic).
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import { activityIdOf, campaignIdOf, v3Errors } from './v3.ts';
import { v3Header } from './v3-lists.ts';

const notFound = (what: string) => v3Errors.error(404, 'resource.not_found', `The ${what} was not found.`);
const json = (value: unknown): SandboxAnswer => ({ status: 200, body: JSON.stringify(value) });

/** Whether it has reports; they are empty until it is sent. */
export const hasReports = ({ details: { role } }: Campaign) => ['primary_email', 'resend'].includes(role.toLowerCase());

/** Whether it has been sent, at least in part. */
export const hasGoneOut = ({ details: { status } }: Campaign) => ['EXECUTING', 'DONE'].includes(status);

/** `GET /v3/emails/{campaign_id}` */
export function v3Campaign(campaigns: ReadonlyMap<string, Campaign>, campaignId: string): SandboxAnswer {
  const all = [...campaigns.values()];
  const campaign = all.find(
    ({ options: { id, resendOf } }) => resendOf === undefined && campaignIdOf(id) === campaignId,
  );
  if (!campaign) return notFound('campaign');
  const { id } = campaign.options;
  const activities = [campaign, ...all.filter(({ options }) => options.resendOf === id)];
  return json({
    ...v3Header(campaign),
    current_status: campaign.details.status,
    // An activity without a report comes first, like the permalink in the vendor's examples.
    campaign_activities: [
      { campaign_activity_id: activityIdOf(`${id} permalink`), role: 'permalink' },
      ...activities.map(({ options, details: { role } }) => ({ campaign_activity_id: activityIdOf(options.id), role })),
    ],
  });
}

/** `GET /v3/emails/activities/{campaign_activity_id}` */
export function v3Activity(campaign: Campaign | undefined, activityId: string): SandboxAnswer {
  if (!campaign) return notFound('campaign activity');
  const { id, resendOf = id } = campaign.options;
  const { role, status, subject, fromName, fromEmail } = campaign.details;
  return json({
    campaign_activity_id: activityId,
    campaign_id: campaignIdOf(resendOf),
    role,
    current_status: status,
    subject,
    from_name: fromName,
    from_email: fromEmail,
    reply_to_email: fromEmail,
  });
}

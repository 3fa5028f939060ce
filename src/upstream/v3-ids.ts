/**
 * v3's questions about ids: what a campaign's UUID and v2's digits mean.
 */
import { z } from 'zod';
import type { MeantActivity } from '../model/meant-activity.ts';
import { strictRows } from '../model/rows.ts';
import type { Question } from './adapter.ts';
import { meaningForIds } from './error-meaning.ts';
import { parseAnswer, someOf } from './parse-answer.ts';

/** Most ids per call for cross references (vendor's documentation). */
export const maxXrefs = 50;
/** The vendor has announced its removal. */
export const xrefsPath = '/v3/emails/campaign_id_xrefs';

/** Most activities learned per campaign; each resend adds one. */
const maxActivities = 100;

/** Lower case, like callers' ids, so that one id has one key. */
export const uuid = z.guid().toLowerCase();

const xrefs = z.object({
  xrefs: strictRows(
    z.object({
      v2_email_campaign_id: z.coerce.string(),
      campaign_id: uuid.optional().catch(undefined),
      campaign_activity_id: uuid,
    }),
  ),
});

/** Statuses come in both cases (recorded traffic), so roles may too. Unreadable activities are skipped. */
const activity = z.object({ campaign_activity_id: uuid, role: z.string().toLowerCase() });
const primary = 'primary_email';
/** Roles of activities that have reports (vendor's documentation). */
const reportedRoles: ReadonlySet<string> = new Set([primary, 'resend']);

/** The activities of a campaign that have reports. */
export const reportedActivities = someOf(activity).transform((all) =>
  all
    .slice(0, maxActivities)
    .filter(({ role }) => reportedRoles.has(role))
    .map(({ campaign_activity_id: id, role }) => ({ id, role })),
);
const campaign = z.object({ campaign_activities: reportedActivities });

/** Activities of a campaign that have reports. */
export interface Activities {
  readonly all: readonly string[];
  /** The activity that the campaign's id means; undefined if there is none (yet). */
  readonly primary: string | undefined;
}

/** `GET /v3/emails/{campaign_id}`. Refused with `campaign-not-found` if there is none. */
export const activitiesOf = (id: string): Question<Activities> => ({
  report: 'ids',
  request: { path: `/v3/emails/${id}` },
  parse: parseActivities,
  meaningOf: meaningForIds,
});

function parseActivities(body: string): Activities {
  const all = parseAnswer(campaign, body).campaign_activities;
  return { all: all.map(({ id }) => id), primary: all.find(({ role }) => role === primary)?.id };
}

/** `GET /v3/emails/campaign_id_xrefs`: what v2's digits mean, and the campaign UUIDs returned with them. */
export const activitiesOfDigits = (ids: ReadonlySet<string>): Question<readonly MeantActivity[]> => ({
  report: 'ids',
  request: { path: xrefsPath, query: { v2_email_campaign_ids: [...ids].join(',') } },
  parse: (body) =>
    parseAnswer(xrefs, body)
      .xrefs.filter((one) => ids.has(one.v2_email_campaign_id))
      .flatMap(({ v2_email_campaign_id, campaign_id, campaign_activity_id }): MeantActivity[] => [
        [v2_email_campaign_id, campaign_activity_id],
        ...(campaign_id === undefined ? [] : [[campaign_id, campaign_activity_id] as const]),
      ]),
  meaningOf: meaningForIds,
});

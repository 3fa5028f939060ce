/**
 * Constant Contact v3's questions about ids: what a campaign's UUID means, and what v2's digits mean.
 */
import { z } from 'zod';
import type { MeantActivity } from '../model/meant-activity.ts';
import { strictRows } from '../model/rows.ts';
import type { Question } from './adapter.ts';
import { meaningForIds } from './error-meaning.ts';
import { parseAnswer } from './parse-answer.ts';

/** Ids that one call for cross references may ask for (vendor's documentation). */
export const maxXrefs = 50;
/** It will be removed (vendor's documentation). */
export const xrefsPath = '/v3/emails/campaign_id_xrefs';

/** Activities of one campaign that are learned; it has one for each resend. */
const maxActivities = 100;

/** As our callers' ids are, so that one id is one key. */
const uuid = z.guid().toLowerCase();

const xrefs = z.object({
  xrefs: strictRows(
    z.object({
      v2_email_campaign_id: z.coerce.string(),
      campaign_id: uuid.optional().catch(undefined),
      campaign_activity_id: uuid,
    }),
  ),
});

/** Statuses come in two spellings (recorded traffic), so roles may. An activity that cannot be read is none of ours. */
const activity = z.object({ campaign_activity_id: uuid, role: z.string().toLowerCase() });
const campaign = z.object({ campaign_activities: z.array(z.unknown()).nullish() });
const primary = 'primary_email';
/** Roles of activities that have reports (vendor's documentation). */
const reportedRoles: ReadonlySet<string> = new Set([primary, 'resend']);

/** The activities of a campaign that have reports. */
export interface Activities {
  readonly all: readonly string[];
  /** The one that the campaign itself means; undefined where it has none (yet). */
  readonly primary: string | undefined;
}

/** `GET /v3/emails/{campaign_id}`. Its refusal is `campaign-not-found` when there is none. */
export const activitiesOf = (id: string): Question<Activities> => ({
  request: { path: `/v3/emails/${id}` },
  parse: parseActivities,
  meaningOf: meaningForIds,
});

function parseActivities(body: string): Activities {
  const listed = parseAnswer(campaign, body).campaign_activities ?? [];
  const all = listed.slice(0, maxActivities).flatMap((one) => activity.safeParse(one).data ?? []);
  return {
    all: all.filter(({ role }) => reportedRoles.has(role)).map(({ campaign_activity_id }) => campaign_activity_id),
    primary: all.find(({ role }) => role === primary)?.campaign_activity_id,
  };
}

/** `GET /v3/emails/campaign_id_xrefs`: what v2's digits, and the campaigns' UUIDs that come with them, mean. */
export const activitiesOfDigits = (ids: ReadonlySet<string>): Question<readonly MeantActivity[]> => ({
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

/**
 * v3's questions about campaigns: lists, one campaign, its statistics and its links.
 */
import { z } from 'zod';
import type { Counts } from '../model/campaign.ts';
import { noCampaign } from '../model/page-query.ts';
import type { ParsedPage } from '../model/resource.ts';
import { instant, type Reader, type RowFields, text } from '../model/rows.ts';
import { type V3Email, type V3EmailsRow, type V3Stats, type V3SummariesRow, v3EmailSource } from '../model/sources.ts';
import type { Question, StatsQuestions } from './adapter.ts';
import { meaningForIds } from './error-meaning.ts';
import {
  byClicks,
  countOrNull,
  dateOrEmpty,
  idOrEmpty,
  parseAnswer,
  readsAs,
  someOf,
  textOrEmpty,
} from './parse-answer.ts';
import { reportedActivities, uuid } from './v3-ids.ts';
import { parseV3Page, readV3Page } from './v3-page.ts';

/** v2's words for v3's states, which come in both cases (recorded traffic). */
const statuses: Readonly<Record<string, string>> = { EXECUTING: 'RUNNING', DONE: 'SENT', REMOVED: 'DELETED' };

const status: Reader = (value) => {
  const state = text(value)?.toUpperCase();
  return state === undefined ? undefined : (statuses[state] ?? state);
};
const readUuid: Reader = (value) => uuid.safeParse(value).data;

const emailsFields: RowFields<keyof V3EmailsRow> = {
  id: { from: 'campaign_id', read: readUuid },
  name: { from: 'name', read: text },
  status: { from: 'current_status', read: status },
  modified_date: { from: 'updated_at', read: instant },
};

/** `GET /v3/emails`: all campaigns, removed ones too, without their activities. */
export const parseV3Emails = (body: string): ParsedPage => parseV3Page('campaigns', emailsFields, body, noCampaign);

/** All but the id may be missing. */
const summary = z.object({
  campaign_id: uuid,
  last_sent_date: dateOrEmpty,
  unique_counts: z
    .object({
      ...{ sends: countOrNull, opens: countOrNull, clicks: countOrNull, forwards: countOrNull },
      ...{ optouts: countOrNull, abuse: countOrNull, bounces: countOrNull },
    })
    .catch({ sends: null, opens: null, clicks: null, forwards: null, optouts: null, abuse: null, bounces: null }),
});
const summaries = someOf(summary);

/** `GET /v3/reports/summary_reports/email_campaign_summaries`: counts of different contacts, the latest sent first. */
export function parseV3Summaries(body: string): ParsedPage {
  const { list, next } = readV3Page('bulk_email_campaign_summaries', body);
  const rows = summaries.parse(list).map(({ campaign_id, last_sent_date, unique_counts }): V3SummariesRow => {
    const { optouts, abuse, ...counts } = unique_counts;
    return {
      id: campaign_id,
      last_run_date: last_sent_date,
      ...inOrder({ ...counts, unsubscribes: optouts, spam_count: abuse }),
    };
  });
  return { rows, cursor: next?.cursor };
}

/** Orders counts as in the schema. */
const inOrder = ({ sends, opens, clicks, forwards, unsubscribes, bounces, spam_count }: Counts): Counts => ({
  ...{ sends, opens, clicks, forwards, unsubscribes, bounces, spam_count },
});

/** `em_opens` and `em_clicks` are of different contacts (vendor's OpenAPI), as in the summaries. */
const stats = z.object({
  ...{ em_sends: countOrNull, em_opens: countOrNull, em_clicks: countOrNull, em_forwards: countOrNull },
  ...{ em_optouts: countOrNull, em_bounces: countOrNull, em_abuse: countOrNull },
});
/** Ids without statistics are listed under `errors`: deleted, nonexistent or unsent activities. */
const statsAnswer = z.object({
  results: someOf(z.object({ campaign_activity_id: uuid, stats, last_refresh_time: dateOrEmpty })),
});

export const v3Stats: StatsQuestions = {
  max: 10, // Vendor's documentation.
  of: (activities) => ({
    report: 'summary',
    request: { path: `/v3/reports/stats/email_campaign_activities/${[...activities].join(',')}` },
    parse: (body) =>
      new Map(
        parseAnswer(statsAnswer, body).results.map(({ campaign_activity_id, stats: of, last_refresh_time }) => [
          campaign_activity_id,
          {
            ...{ sends: of.em_sends, opens: of.em_opens, clicks: of.em_clicks, forwards: of.em_forwards },
            ...{ unsubscribes: of.em_optouts, bounces: of.em_bounces, spam_count: of.em_abuse },
            refreshed_at: last_refresh_time,
          } satisfies V3Stats,
        ]),
      ),
    meaningOf: meaningForIds,
  }),
  existence: (activity) => ({
    report: 'ids',
    request: { path: activityPath(activity) },
    parse: (body) => parseAnswer(z.object({}), body),
    meaningOf: meaningForIds,
  }),
};

const activityPath = (activity: string) => `/v3/emails/activities/${activity}`;

const activityAnswer = z.object({
  campaign_id: uuid,
  ...{ subject: textOrEmpty, from_name: textOrEmpty, from_email: textOrEmpty },
});
const campaignAnswer = z.object({
  ...{ name: textOrEmpty, current_status: readsAs(status), created_at: dateOrEmpty, updated_at: dateOrEmpty },
  campaign_activities: reportedActivities,
});

/** `GET /v3/emails/activities/{id}` and `GET /v3/emails/{campaign_id}`: one knows the subject, the other the name. */
export const emailQuestion = (activity: string): Question<ParsedPage> => ({
  report: 'campaign',
  request: { path: activityPath(activity) },
  parse: (body) => {
    const { campaign_id: campaign, ...sender } = parseAnswer(activityAnswer, body);
    return itemPage({ ...unknownCampaign, ...sender, campaign });
  },
  meaningOf: meaningForIds,
  following: ({ rows: [email] }) => campaignQuestion(email as V3Email),
});

const unknownCampaign = { name: '', status: '', modified_date: '', created_date: '', activities: [] };

const campaignQuestion = (email: V3Email): Question<ParsedPage> => ({
  report: 'campaign',
  request: { path: `/v3/emails/${email.campaign}` },
  parse: (body) => {
    const { name, current_status, created_at, updated_at, campaign_activities } = parseAnswer(campaignAnswer, body);
    const dates = { modified_date: updated_at, created_date: created_at };
    return itemPage({ ...email, name, status: current_status, ...dates, activities: campaign_activities });
  },
  meaningOf: meaningForIds,
});

/** In the order of the schema. */
const itemPage = (email: V3Email): ParsedPage => ({ rows: [v3EmailSource.schema.parse(email)], cursor: undefined });

const link = z.object({ url_id: idOrEmpty, link_url: textOrEmpty, unique_clicks: countOrNull });
const linksAnswer = z.object({ link_click_counts: someOf(link) });

/** `GET /v3/reports/email_reports/{activity}/links`: not paged. */
export function parseV3Links(body: string): ParsedPage {
  const links = parseAnswer(linksAnswer, body).link_click_counts;
  const rows = byClicks(links.map((one) => ({ link_id: one.url_id, url: one.link_url, clicks: one.unique_clicks })));
  return { rows, cursor: undefined };
}

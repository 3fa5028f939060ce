/**
 * Adapter for Constant Contact v3: `GET /v3/reports/email_reports/{campaign_activity_id}/tracking/{report}`.
 */
import { z } from 'zod';
import { campaignIdRules } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import { cursorOfHref, linksOf, queryOfCursor } from '../model/cursor.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Report, ReportPage } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { type OddRows, readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import type { Adapter, Question } from './adapter.ts';
import { meaningForIds, meaningOf } from './error-meaning.ts';
import { count, parseAnswer } from './parse-answer.ts';
import { mayReadReports, privilegesPath } from './privileges.ts';

/** The last page has no `_links` or `next`, or an `href` of null (vendor's documentation); an empty one is tolerated. */
const page = z.object({
  tracking_activities: z.array(z.unknown()),
  _links: linksOf(z.object({ next: linksOf(z.object({ href: z.string().nullish() })) })),
});

/** Ids without statistics are listed under `errors`: deleted, nonexistent or unsent activities. */
const stats = z.object({
  results: z.array(z.object({ campaign_activity_id: z.string().toLowerCase(), stats: z.unknown() })).nullish(),
});
const counts = z.object({ em_sends: count });

/** In this adapter, every campaign id is an activity's. */
export const v3: Adapter = {
  campaignIds: campaignIdRules.v3,
  filtersSince: false,
  neutral: {
    request: { path: privilegesPath },
    parse: mayReadReports,
    meaningOf: (reply) => meaningOf(reply),
  },
  page: (query) => {
    const report = reports[query.report];
    const path = `/v3/reports/email_reports/${query.campaign}/tracking/${report.v3.segment}`;
    return {
      request: { path, search: searchOf(query) },
      parse: (body) => parseV3Page(report, body, query.campaign),
      meaningOf: (reply) => meaningOf(reply, query.kind === 'next'),
    };
  },
  summary: (activityId): Question<CampaignSummary | undefined> => ({
    request: { path: `/v3/reports/stats/email_campaign_activities/${activityId}` },
    parse: (body) => summaryIn(body, activityId),
    meaningOf: (reply) => meaningOf(reply),
  }),
  existence: (activityId) => ({
    request: { path: `/v3/emails/activities/${activityId}` },
    parse: (body) => parseAnswer(z.object({}), body),
    meaningOf: meaningForIds,
  }),
};

/** @throws Problem `invalid-cursor` */
function searchOf(query: PageQuery): string {
  const search = query.kind === 'first' ? `limit=${query.limit}` : queryOfCursor(query.cursor);
  if (search === undefined) throw new Problem('invalid-cursor', { reason: 'unreadable' });
  return search;
}

/** Returns the activity's summary; undefined if it has no statistics. */
function summaryIn(body: string, activityId: string): CampaignSummary | undefined {
  const found = parseAnswer(stats, body).results?.find((one) => one.campaign_activity_id === activityId);
  if (!found) return undefined;
  const { data } = counts.safeParse(found.stats);
  if (!data) throw new Problem('upstream-failed', { reason: 'schema' });
  return { sends: data.em_sends };
}

/**
 * @param campaign the id in the request
 * @throws Problem `upstream-failed` if the body is not a page
 */
export function parseV3Page({ v3: { fields } }: Report, body: string, campaign: string): ReportPage {
  const { tracking_activities, _links } = parseAnswer(page, body);
  const read = readRows(fields, tracking_activities, campaign);
  if (!read) throw new Problem('upstream-failed', { reason: 'schema' });
  const { rows, odd } = read;
  const next = nextOf(_links?.next?.href);
  const oddRows: OddRows = next?.isOdd ? new Map(odd).set('link', 1) : odd;
  return { rows, cursor: next?.cursor, ...(oddRows.size > 0 && { odd: oddRows }) };
}

function nextOf(href: string | null | undefined) {
  if (!href) return undefined;
  const next = cursorOfHref(href);
  if (!next) throw new Problem('upstream-failed', { reason: 'schema' });
  return next;
}

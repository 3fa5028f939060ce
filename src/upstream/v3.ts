/**
 * Constant Contact v3: `GET /v3/reports/email_reports/{campaign_activity_id}/tracking/{report}`.
 */
import { z } from 'zod';
import { campaignIdRules, MeansAnotherId } from '../model/campaign-ids.ts';
import { cursorOfHref, linksOf, queryOfCursor } from '../model/cursor.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Report, ReportPage } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { type OddRows, readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import type { Call, Dialect, Exchange } from './adapter.ts';
import { count, parseAnswer, refusalOf, refusalOfId } from './answers.ts';
import { authorized, type BearerTokens } from './bearer.ts';
import type { CampaignIds } from './campaign-ids.ts';

/** "No more pages" is a missing `_links` or `next`, or an `href` of null (vendor's documentation); an empty one is tolerated. */
const page = z.object({
  tracking_activities: z.array(z.unknown()),
  _links: linksOf(z.object({ next: linksOf(z.object({ href: z.string().nullish() })) })),
});

/** What has no statistics stands under `errors`: a deleted activity, one that does not exist, one that has not gone out. */
const stats = z.object({
  results: z.array(z.object({ campaign_activity_id: z.string().toLowerCase(), stats: z.unknown() })).nullish(),
});
const counts = z.object({ em_sends: count });

/** It needs no scope, and tells what the user who authorized Sendgate may do (vendor's documentation). */
export const privilegesPath = '/v3/account/user/privileges';
/** The privilege without which every report is refused (vendor's documentation). */
const reportPrivilege = 'ui:campaign:metrics';
const privileges = z.array(z.object({ privilege_name: z.string() })).min(1);

export function v3(tokens: BearerTokens, campaignIds: CampaignIds): Dialect {
  return {
    campaignIds: campaignIdRules.v3,
    filtersSince: false,
    neutral: () =>
      authorized(tokens, {
        path: privilegesPath,
        isNeutral: true,
        parse: mayReadReports,
        refusal: (reply) => refusalOf(reply),
      }),
    ids: campaignIds.known,
    async identify(id, call, demand, signal) {
      try {
        const means = await campaignIds.resolve(id, call, demand, signal);
        if (means === id) await campaignIds.tryAsCampaign(id, 'nothing', call, demand, signal);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    async fetchPage(query, call, demand, signal) {
      const search = searchOf(query);
      const { campaign } = query;
      const { known } = campaignIds;
      await hasToBeItsOwn(campaignIds, campaign, call, demand, signal);
      const answer = await call(pageOf(campaign, query, search, tokens), demand, signal).catch((error: unknown) => {
        if (isNotFound(error)) return error;
        throw error;
      });
      const isRefused = answer instanceof Problem;
      if (!isRefused && (answer.rows.length > 0 || answer.cursor !== undefined)) known.addActivity(campaign);
      else {
        // Under a campaign's UUID nothing is found, or an empty report: also behind a cursor, when a walk outlives a restart.
        const found = isRefused ? 'nothing' : 'an empty report';
        await campaignIds.tryAsCampaign(campaign, found, call, demand, signal);
        await hasToBeItsOwn(campaignIds, campaign, call, demand, signal);
      }
      if (isRefused) throw answer;
      return answer;
    },
    async fetchSummary(campaign, call, demand, signal) {
      const { known } = campaignIds;
      await hasToBeItsOwn(campaignIds, campaign, call, demand, signal);
      const counted = await call(summaryOf(campaign, tokens), demand, signal).catch((error: unknown) => {
        // An id that v3 finds malformed is a 404 of the whole call.
        if (isNotFound(error) && !known.isActivity(campaign)) return undefined;
        throw error;
      });
      if (counted !== undefined) known.addActivity(campaign);
      else if (!known.isActivity(campaign)) {
        await campaignIds.tryAsCampaign(campaign, 'nothing', call, demand, signal);
        await hasToBeItsOwn(campaignIds, campaign, call, demand, signal);
        await call(activityOf(campaign, tokens), demand, signal);
        known.addActivity(campaign);
      }
      return { sends: counted ?? null };
    },
  };
}

const isNotFound = (error: unknown): error is Problem =>
  error instanceof Problem && error.code === 'campaign-not-found';

/** @throws MeansAnotherId, or Problem where it is remembered that the id has no activity */
async function hasToBeItsOwn(
  campaignIds: CampaignIds,
  id: string,
  call: Call,
  demand: Demand,
  signal: AbortSignal,
): Promise<void> {
  if ((await campaignIds.resolve(id, call, demand, signal)) !== id) throw new MeansAnotherId();
}

/**
 * The query that goes up for a page.
 *
 * @throws Problem `invalid-cursor`
 */
function searchOf(query: PageQuery): string {
  const search = query.kind === 'first' ? `limit=${query.limit}` : queryOfCursor(query.cursor);
  if (search === undefined) throw new Problem('invalid-cursor', { reason: 'unreadable' });
  return search;
}

function pageOf(activityId: string, query: PageQuery, search: string, tokens: BearerTokens): Exchange<ReportPage> {
  const report = reports[query.report];
  return authorized(tokens, {
    path: `/v3/reports/email_reports/${activityId}/tracking/${report.v3.segment}`,
    search,
    parse: (body) => parseV3Page(report, body, query.campaign),
    refusal: (reply) => refusalOf(reply, query),
  });
}

/** `GET /v3/reports/stats/email_campaign_activities/{ids}`: undefined where there are no statistics of it. */
function summaryOf(activityId: string, tokens: BearerTokens): Exchange<number | undefined> {
  return authorized(tokens, {
    path: `/v3/reports/stats/email_campaign_activities/${activityId}`,
    parse: (body) => {
      const found = parseAnswer(stats, body).results?.find((one) => one.campaign_activity_id === activityId);
      if (!found) return undefined;
      const { data } = counts.safeParse(found.stats);
      if (!data) throw new Problem('upstream-failed', { reason: 'schema' });
      return data.em_sends;
    },
    refusal: (reply) => refusalOf(reply),
  });
}

/** `GET /v3/emails/activities/{id}`: whether there is one. */
function activityOf(activityId: string, tokens: BearerTokens): Exchange<unknown> {
  return authorized(tokens, {
    path: `/v3/emails/activities/${activityId}`,
    parse: (body) => parseAnswer(z.object({}), body),
    refusal: refusalOfId,
  });
}

/**
 * @param campaign the id that the caller asked by
 * @throws Problem `upstream-failed` when the body is not a page
 */
export function parseV3Page({ v3: { fields } }: Report, body: string, campaign: string): ReportPage {
  const { tracking_activities, _links } = parseAnswer(page, body);
  const read = readRows(fields, tracking_activities, campaign);
  if (!read) throw new Problem('upstream-failed', { reason: 'schema' });
  const { rows, odd } = read;
  const next = nextOf(_links?.next?.href);
  const found: OddRows = next?.isOdd ? new Map(odd).set('link', 1) : odd;
  return {
    rows,
    cursor: next?.cursor,
    ...(found.size > 0 && { odd: found }),
  };
}

function nextOf(href: string | null | undefined) {
  if (!href) return undefined;
  const next = cursorOfHref(href);
  if (!next) throw new Problem('upstream-failed', { reason: 'schema' });
  return next;
}

/**
 * Reads the privileges of the user who authorized Sendgate; a list that cannot be read tells nothing.
 *
 * @throws Problem `upstream-credentials-refused` when reports are not among them, `upstream-failed` when the body is no JSON
 */
export function mayReadReports(body: string): void {
  const { data } = privileges.safeParse(parseAnswer(z.unknown(), body));
  if (data && !data.some(({ privilege_name }) => privilege_name === reportPrivilege)) {
    throw new Problem('upstream-credentials-refused', { reason: 'privileges' });
  }
}

/**
 * Adapter for Constant Contact v3: `GET /v3/reports/email_reports/{campaign_activity_id}/tracking/{report}`, and campaigns.
 */
import { campaignIdRules } from '../model/campaign-ids.ts';
import { queryOfCursor } from '../model/cursor.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import { reports } from '../model/reports.ts';
import { type Item, type ParsedPage, type ReportName, type ResourceName, reportOf } from '../model/resource.ts';
import { Problem } from '../problems.ts';
import type { Adapter, Question } from './adapter.ts';
import { meaningForLists, meaningOf } from './error-meaning.ts';
import { mayReadReports, privilegesPath } from './privileges.ts';
import { emailQuestion, parseV3Emails, parseV3Links, parseV3Summaries, v3Stats } from './v3-campaigns.ts';
import { parseV3Page } from './v3-page.ts';

/** Path and parser of each resource that is no report. */
const others: Readonly<
  Partial<Record<ResourceName, { path: (activity: string) => string; parse: (body: string) => ParsedPage }>>
> = {
  'v3-emails': { path: () => '/v3/emails', parse: parseV3Emails },
  'v3-summaries': { path: () => '/v3/reports/summary_reports/email_campaign_summaries', parse: parseV3Summaries },
  links: { path: (activity) => `/v3/reports/email_reports/${activity}/links`, parse: parseV3Links },
};

/** In this adapter, every campaign id is an activity's. */
export const v3: Adapter = {
  campaignIds: campaignIdRules.v3,
  filtersSince: false,
  neutral: {
    report: 'probe',
    request: { path: privilegesPath },
    parse: mayReadReports,
    meaningOf: (reply) => meaningOf(reply),
  },
  page: (query) => {
    const { resource, campaign } = query;
    if (resource === 'v3-email') return emailQuestion(campaign);
    const other = others[resource];
    if (other) return question(query, other.path(campaign), other.parse);
    const { segment, fields } = reports[resource as ReportName].v3;
    const path = `/v3/reports/email_reports/${campaign}/tracking/${segment}`;
    return question(query, path, (body) =>
      ofItsLink(query, parseV3Page('tracking_activities', fields, body, campaign)),
    );
  },
  stats: v3Stats,
};

function question(query: PageQuery, path: string, parse: (body: string) => ParsedPage): Question<ParsedPage> {
  const isLinks = query.resource === 'links';
  const isOfAccount = query.campaign === noCampaign;
  return {
    report: reportOf(query.resource),
    // Links that were not clicked are left out by default (vendor's OpenAPI).
    request: isLinks ? { path, query: { no_clicks: 'true' } } : { path, search: searchOf(query) },
    parse,
    meaningOf: (reply) => (isOfAccount ? meaningForLists : meaningOf)(reply, query.kind === 'next'),
  };
}

/**
 * A cursor can be of a walk with another `link_id` or none, and need not say so: the rows do.
 *
 * @throws Problem `invalid-cursor`
 */
function ofItsLink({ kind, filter }: PageQuery, page: ParsedPage): ParsedPage {
  const isOther = ({ link_id = '' }: Item) => link_id !== '' && link_id !== filter;
  if (kind === 'first' || filter === undefined || !page.rows.some(isOther)) return page;
  throw new Problem('invalid-cursor', { reason: 'another-walk' });
}

/** @throws Problem `invalid-cursor` */
function searchOf(query: PageQuery): string {
  const { filter } = query;
  const first = `limit=${query.kind === 'first' && query.limit}${filter === undefined ? '' : `&url_id=${filter}`}`;
  const search = query.kind === 'first' ? first : queryOfCursor(query.cursor);
  if (search === undefined) throw new Problem('invalid-cursor', { reason: 'unreadable' });
  return search;
}

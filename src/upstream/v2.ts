/**
 * Adapter for Constant Contact v2: `GET /v2/emailmarketing/campaigns…`.
 */
import { z } from 'zod';
import { campaignIdRules } from '../model/campaign-ids.ts';
import { since } from '../model/list.ts';
import { noCampaign, type PageQuery } from '../model/page-query.ts';
import type { Report } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { type ParsedPage, type ReportName, reportOf } from '../model/resource.ts';
import type { Adapter, Question } from './adapter.ts';
import { meaningForLists, meaningOf } from './error-meaning.ts';
import { parseAnswer } from './parse-answer.ts';
import { directoryParameters, parseV2Details, parseV2Directory, v2Campaigns } from './v2-campaigns.ts';
import { parseV2Page } from './v2-page.ts';

export const v2: Adapter = {
  campaignIds: campaignIdRules.v2,
  filtersSince: true,
  neutral: {
    report: 'probe',
    request: { path: v2Campaigns, query: { limit: '1' } },
    parse: (body) => parseAnswer(z.unknown(), body),
    meaningOf: (reply) => meaningOf(reply),
  },
  page: (query) => {
    if (query.resource === 'campaigns') {
      return question(query, v2Campaigns, directoryParameters(query), (body) => parseV2Directory(body, query));
    }
    if (query.resource === 'v2-details') {
      // Without `updateSummary` the counts are from the last scheduled update (vendor's documentation).
      return question(query, campaignPath(query), { updateSummary: 'true' }, parseV2Details);
    }
    const report = reports[query.resource as ReportName];
    return question(query, trackingPath(report, query), parametersOf(query), (body) =>
      within(report, query, parseV2Page(report.v2.fields, body, query.campaign)),
    );
  },
};

const question = (
  query: PageQuery,
  path: string,
  parameters: Readonly<Record<string, string>>,
  parse: (body: string) => ParsedPage,
): Question<ParsedPage> => ({
  report: reportOf(query.resource),
  request: { path, query: parameters },
  parse,
  meaningOf: (reply) => (query.campaign === noCampaign ? meaningForLists : meaningOf)(reply, query.kind === 'next'),
});

const campaignPath = ({ campaign }: PageQuery) => `${v2Campaigns}/${encodeURIComponent(campaign)}`;

/** A cursor can be of a walk from an earlier instant or from none, and need not say so: what is before `created_since` is left out. */
const within = (report: Report, query: PageQuery, page: ParsedPage): ParsedPage =>
  query.kind === 'next' && query.since !== undefined ? { ...page, ...since(report, query.since, page) } : page;

/** Clicks of one link have their own path. */
function trackingPath({ v2: { segment } }: Report, query: PageQuery): string {
  const path = `${campaignPath(query)}/tracking/${segment}`;
  return query.filter === undefined ? path : `${path}/${encodeURIComponent(query.filter)}`;
}

/** A cursor includes the limit and the filter: the SDKs send only the key beside it. */
function parametersOf(query: PageQuery): Readonly<Record<string, string>> {
  if (query.kind === 'next') return { next: query.cursor };
  const { limit, since } = query;
  return { limit: String(limit), ...(since !== undefined && { created_since: since }) };
}

/**
 * Adapter for Constant Contact v2: `GET /v2/emailmarketing/campaigns/{id}/tracking/{report}`.
 */
import { z } from 'zod';
import { campaignIdRules } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import { cursorOfLink, linksOf } from '../model/cursor.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Report, ReportPage } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import type { Adapter, Question } from './adapter.ts';
import { meaningOf } from './error-meaning.ts';
import { count, parseAnswer } from './parse-answer.ts';

const campaigns = '/v2/emailmarketing/campaigns';

/** The last page is documented as `{}`; null, an empty string or list, and a missing `meta` are tolerated. */
const page = z.object({
  meta: linksOf(z.object({ pagination: linksOf(z.object({ next_link: z.string().nullish() })) })),
  results: z.array(z.unknown()),
});

/** The vendor documents more counts: opens, clicks and others. */
const summary = z.object({ sends: count });

export const v2: Adapter = {
  campaignIds: campaignIdRules.v2,
  filtersSince: true,
  neutral: {
    request: { path: campaigns, query: { limit: '1' } },
    parse: (body) => parseAnswer(z.unknown(), body),
    meaningOf: (reply) => meaningOf(reply),
  },
  page: (query) => {
    const report = reports[query.report];
    return {
      request: { path: tracking(query.campaign, report.v2.segment), query: parametersOf(query) },
      parse: (body) => parseV2Page(report, body, query.campaign),
      meaningOf: (reply) => meaningOf(reply, query.kind === 'next'),
    };
  },
  summary: (campaign): Question<CampaignSummary> => ({
    // Without `updateSummary` the counts are from the last scheduled update (vendor's documentation).
    request: { path: tracking(campaign, 'reports/summary'), query: { updateSummary: 'true' } },
    parse: (body) => parseAnswer(summary, body),
    meaningOf: (reply) => meaningOf(reply),
  }),
  existence: () => undefined,
};

const tracking = (campaign: string, report: string) =>
  `${campaigns}/${encodeURIComponent(campaign)}/tracking/${report}`;

/** A cursor includes the limit and the filter: the SDKs send only the key beside it. */
function parametersOf(query: PageQuery): Readonly<Record<string, string>> {
  if (query.kind === 'next') return { next: query.cursor };
  const { limit, createdSince } = query;
  return { limit: String(limit), ...(createdSince !== undefined && { created_since: createdSince }) };
}

/** @throws Problem `upstream-failed` if the body is not a page */
export function parseV2Page({ v2: { fields } }: Report, body: string, campaign: string): ReportPage {
  const { meta, results } = parseAnswer(page, body);
  const read = readRows(fields, results, campaign);
  if (!read) throw new Problem('upstream-failed', { reason: 'schema' });
  const { rows, odd } = read;
  return { rows, cursor: cursorOf(meta?.pagination?.next_link), ...(odd.size > 0 && { odd }) };
}

function cursorOf(link: string | null | undefined): string | undefined {
  if (!link) return undefined;
  const cursor = cursorOfLink(link);
  if (cursor === undefined) throw new Problem('upstream-failed', { reason: 'schema' });
  return cursor;
}

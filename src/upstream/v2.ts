/**
 * Constant Contact v2: `GET /v2/emailmarketing/campaigns/{id}/tracking/{report}`.
 */
import { z } from 'zod';
import { campaignIdRules, noOtherIds } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import { cursorOfLink, linksOf } from '../model/cursor.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Report, ReportPage } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { readRows } from '../model/rows.ts';
import { Problem } from '../problems.ts';
import type { Dialect, Exchange, UpstreamRequest } from './adapter.ts';
import { count, parseAnswer, refusalOf } from './answers.ts';

export interface V2Credentials {
  apiKey(): string;
  accessToken(): string | undefined;
}

/** "No more pages" is documented as `{}`; null, an empty text or list, and a missing `meta` are tolerated. */
const page = z.object({
  meta: linksOf(z.object({ pagination: linksOf(z.object({ next_link: z.string().nullish() })) })),
  results: z.array(z.unknown()),
});

/** The vendor's documentation counts opens, clicks and more beside them. */
const summary = z.object({ sends: count });

export function v2(credentials: V2Credentials): Dialect {
  return {
    campaignIds: campaignIdRules.v2,
    filtersSince: true,
    ids: noOtherIds,
    identify: async () => {},
    neutral: () => ({
      request: () => authorized(credentials, '', { limit: '1' }),
      parse: (body) => parseAnswer(z.unknown(), body),
      refusal: (reply) => refusalOf(reply),
    }),
    fetchPage: (query, call, demand, signal) => call(pageOf(query, credentials), demand, signal),
    fetchSummary: (campaign, call, demand, signal) => call(summaryOf(campaign, credentials), demand, signal),
  };
}

function pageOf(query: PageQuery, credentials: V2Credentials): Exchange<ReportPage> {
  const report = reports[query.report];
  return {
    // A cursor carries the page size and the filter: the SDKs send nothing beside it but the key.
    request: () =>
      authorized(credentials, tracking(query.campaign, report.v2.segment), {
        ...(query.kind === 'next'
          ? { next: query.cursor }
          : {
              limit: String(query.limit),
              ...(query.createdSince === undefined ? {} : { created_since: query.createdSince }),
            }),
      }),
    parse: (body) => parseV2Page(report, body, query.campaign),
    refusal: (reply) => refusalOf(reply, query),
  };
}

function summaryOf(campaign: string, credentials: V2Credentials): Exchange<CampaignSummary> {
  return {
    // Without it the numbers are those of the last scheduled update (vendor's documentation).
    request: () => authorized(credentials, tracking(campaign, 'reports/summary'), { updateSummary: 'true' }),
    parse: (body) => parseAnswer(summary, body),
    refusal: (reply) => refusalOf(reply),
  };
}

const tracking = (campaign: string, report: string) => `/${encodeURIComponent(campaign)}/tracking/${report}`;

/** @param path below that of the campaigns */
function authorized(
  credentials: V2Credentials,
  path: string,
  query: Readonly<Record<string, string>>,
): UpstreamRequest {
  const token = credentials.accessToken();
  return {
    path: `/v2/emailmarketing/campaigns${path}`,
    query: { api_key: credentials.apiKey(), ...query },
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  };
}

/** @throws Problem `upstream-failed` when the body is not a page */
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

/**
 * Constant Contact v2: `GET /v2/emailmarketing/campaigns/{id}/tracking/sends`.
 */
import { z } from 'zod';
import { campaignIdRules, noOtherIds } from '../model/campaign-ids.ts';
import { cursorOfLink, linksOf } from '../model/cursor.ts';
import type { PageQuery } from '../model/page-query.ts';
import { id, instant, text, tolerantRows } from '../model/rows.ts';
import type { CampaignSummary, SendsPage } from '../model/sends.ts';
import { Problem } from '../problems.ts';
import type { Dialect, Exchange, UpstreamRequest } from './adapter.ts';
import { count, parseAnswer, refusalOf } from './answers.ts';

export interface V2Credentials {
  apiKey(): string;
  accessToken(): string | undefined;
}

const sendRows = tolerantRows({
  activity_type: { read: text, name: 'activity_type' },
  campaign_id: { read: id, name: 'campaign_id' },
  contact_id: { read: id, name: 'contact_id' },
  email_address: { read: text, name: 'email_address' },
  send_date: { read: instant, name: 'send_date' },
});

/** "No more pages" is documented as `{}`; null, an empty text or list, and a missing `meta` are tolerated. */
const page = z.object({
  meta: linksOf(z.object({ pagination: linksOf(z.object({ next_link: z.string().nullish() })) })),
  results: sendRows,
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
    fetchPage: (query, call, demand, signal) => call(sends(query, credentials), demand, signal),
    fetchSummary: (campaign, call, demand, signal) => call(summaryOf(campaign, credentials), demand, signal),
  };
}

function sends(query: PageQuery, credentials: V2Credentials): Exchange<SendsPage> {
  return {
    // A cursor carries the page size and the filter: the SDKs send nothing beside it but the key.
    request: () =>
      authorized(credentials, tracking(query.campaign, 'sends'), {
        ...(query.kind === 'next'
          ? { next: query.cursor }
          : {
              limit: String(query.limit),
              ...(query.createdSince === undefined ? {} : { created_since: query.createdSince }),
            }),
      }),
    parse: parseV2Page,
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
export function parseV2Page(body: string): SendsPage {
  const { meta, results } = parseAnswer(page, body);
  const { rows, odd } = results;
  return { sends: rows, cursor: cursorOf(meta?.pagination?.next_link), ...(odd.size > 0 && { odd }) };
}

function cursorOf(link: string | null | undefined): string | undefined {
  if (!link) return undefined;
  const cursor = cursorOfLink(link);
  if (cursor === undefined) throw new Problem('upstream-failed', { reason: 'schema' });
  return cursor;
}

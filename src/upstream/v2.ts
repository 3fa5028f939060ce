/**
 * Constant Contact v2: `GET /v2/emailmarketing/campaigns/{id}/tracking/sends`.
 */
import { z } from 'zod';
import { cursorOf, errorKey, type Limit, parseAnswer, refusalOf, rows } from './answers.ts';
import {
  type CampaignSummary,
  campaignIdRules,
  type Dialect,
  type Exchange,
  noOtherIds,
  type PageQuery,
  type Reply,
  type SendsPage,
  type UpstreamRequest,
} from './dialect.ts';

export interface V2Credentials {
  apiKey(): string;
  accessToken(): string | undefined;
}

/** Ids are documented as strings and seen as numbers; a number that JSON.parse has rounded is no id any more. */
const id = z.union([z.string().min(1), z.int().nonnegative().transform(String)]);

const send = z.object({
  activity_type: z.string(),
  campaign_id: id,
  contact_id: id,
  email_address: z.string(),
  send_date: z.string(),
});

/** "No more pages" is documented as `{}`; null, an empty string and a missing `meta` are tolerated. */
const page = z.object({
  meta: z.object({ pagination: z.object({ next_link: z.string().nullish() }).nullish() }).nullish(),
  results: rows(send),
});

/** The vendor's documentation counts opens, clicks and more beside them. */
const summary = z.object({ sends: z.int().nonnegative() });

export function v2(credentials: V2Credentials): Dialect {
  return {
    campaignIds: campaignIdRules.v2,
    filtersSince: true,
    ids: noOtherIds,
    identify: async () => {},
    neutral: () => ({
      request: () => authorized(credentials, '', { limit: '1' }),
      parse: (body) => parseAnswer(z.unknown(), body),
      refusal: (reply) => refusalOf(reply, limitOf(reply)),
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
        ...(query.cursor === undefined
          ? {
              limit: String(query.limit),
              ...(query.createdSince === undefined ? {} : { created_since: query.createdSince }),
            }
          : { next: query.cursor }),
      }),
    parse: parseV2Page,
    refusal: (reply) => refusalOf(reply, limitOf(reply), query),
  };
}

function summaryOf(campaign: string, credentials: V2Credentials): Exchange<CampaignSummary> {
  return {
    request: () => authorized(credentials, tracking(campaign, 'reports/summary'), {}),
    parse: (body) => parseAnswer(summary, body),
    refusal: (reply) => refusalOf(reply, limitOf(reply)),
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
  return { sends: results, cursor: cursorOf(meta?.pagination?.next_link) };
}

/** The gateway answers 403 for its limits (vendor's forum). A 429 is not documented, and names no limit by itself. */
function limitOf({ status, body }: Reply): Limit | undefined {
  const key = status === 403 || status === 429 ? errorKey(body) : undefined;
  if (key?.endsWith('over.qps')) return 'second';
  if (key?.endsWith('over.ratelimit')) return 'day';
  return status === 429 ? 'unnamed' : undefined;
}

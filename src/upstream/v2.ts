/**
 * Constant Contact v2: `GET /v2/emailmarketing/campaigns/{id}/tracking/sends`.
 */
import { z } from 'zod';
import { Problem } from '../problems.ts';
import { cursorPattern, type Dialect, type Refusal, type SendsPage } from './dialect.ts';

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
  results: z.array(send),
});

const failure = z.array(z.object({ error_key: z.string() }).partial()).min(1);

export const v2: Dialect = {
  campaignIds: { pattern: /^\d{1,20}$/, allowed: '1 to 20 digits, such as 1100394165287' },

  request(query, credentials) {
    const token = credentials.accessToken();
    return {
      path: `/v2/emailmarketing/campaigns/${encodeURIComponent(query.campaign)}/tracking/sends`,
      // A cursor carries the page size and the filter: the SDKs send nothing beside it but the key.
      query: {
        api_key: credentials.apiKey(),
        ...(query.cursor === undefined
          ? {
              limit: String(query.limit),
              ...(query.createdSince === undefined ? {} : { created_since: query.createdSince }),
            }
          : { next: query.cursor }),
      },
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    };
  },

  parse(body): SendsPage {
    const parsed = page.safeParse(parseJson(body));
    if (!parsed.success) throw new Problem('upstream-failed', { reason: 'schema' });
    const link = parsed.data.meta?.pagination?.next_link;
    return { sends: parsed.data.results, cursor: link ? cursorOf(link) : undefined };
  },

  refusal(status, body, query): Refusal {
    const key = errorKey(body);
    // The gateway answers 403 for its limits (vendor's forum).
    if (status === 403 && key?.endsWith('over.qps')) {
      return { problem: new Problem('upstream-busy', { retryAfterSeconds: 1, reason: 'throttled' }), again: 'retry' };
    }
    if (status === 403 && key?.endsWith('over.ratelimit')) {
      return { problem: new Problem('upstream-quota-exhausted', { reason: 'quota' }), again: 'never' };
    }
    // Going over the limit was also seen as 401 (vendor's forum), so one 401 proves nothing.
    if (status === 401) return { problem: refused('http-401'), again: 'confirm' };
    if (status === 403) return { problem: refused('http-403'), again: 'never' };
    if (status === 404) return { problem: new Problem('campaign-not-found', { reason: 'http-404' }), again: 'never' };
    if (status === 400 && query.cursor !== undefined) {
      return { problem: new Problem('invalid-cursor', { reason: 'http-400' }), again: 'never' };
    }
    const reason = `http-${Math.floor(status / 100)}xx`;
    return { problem: new Problem('upstream-failed', { reason }), again: status >= 500 ? 'retry' : 'never' };
  },
};

const refused = (reason: string) => new Problem('upstream-credentials-refused', { reason });

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The SyntaxError quotes the body, so it ends here.
    throw new Problem('upstream-failed', { reason: 'malformed' });
  }
}

function errorKey(body: string): string | undefined {
  try {
    return failure.parse(JSON.parse(body))[0]?.error_key;
  } catch {
    return undefined; // HTML or nothing, from a gateway in front: the status alone has to do.
  }
}

/** Takes the cursor out of a `next_link`, and nothing else: its path is not always the one that was called. */
function cursorOf(link: string): string {
  const cursor = new URLSearchParams(link.slice(link.indexOf('?') + 1).split('#', 1)[0]).get('next');
  if (cursor === null || !cursorPattern.test(cursor)) throw new Problem('upstream-failed', { reason: 'schema' });
  return cursor;
}

/**
 * Serves Constant Contact v2's own resources to programs written for v2: the same pages in v2's form.
 */
import { z } from 'zod';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import { cursorPattern } from '../../model/cursor.ts';
import { parseInstant, parseInstantInUtc } from '../../model/instant.ts';
import type { NextPage, PageQuery } from '../../model/page-query.ts';
import type { Report } from '../../model/report.ts';
import { reports } from '../../model/reports.ts';
import type { Problem, ProblemCode } from '../../problems.ts';
import { pageParameters } from '../parameters.ts';
import { parsePageQuery } from '../query.ts';

export const dropInPath = ({ v2 }: Report) => `/v2/emailmarketing/campaigns/:id/tracking/${v2.segment}`;

/** Builds a link in v2's form: from the root of its API, with a self-contained cursor. */
export function dropInLink(step: NextPage): string {
  return `${dropInPath(reports[step.report]).replace(':id', encodeURIComponent(step.campaign))}?next=${wrapped(step)}`;
}

/** Unreserved characters (RFC 3986 §2.3), which encoding leaves alone: some SDKs encode a link's cursor again. */
const plainPattern = /^[\w.~-]+$/;
/** Marks a wrapped cursor. */
const mark = 'sendgate';
/** Extra encodings of a cursor that are undone. */
const maxEncodings = 2;

/** Contents of a wrapped cursor. */
type Wrapped = Pick<NextPage, 'createdSince' | 'cursor'>;

/**
 * Wraps a cursor so that it is self-contained and survives repeated encoding: v2's cursors include `created_since`. Leaves it as
 * it is if neither is needed.
 */
function wrapped({ createdSince = '', cursor }: Wrapped): string {
  if (createdSince === '' && plainPattern.test(cursor)) return cursor;
  return Buffer.from(`${mark} ${createdSince} ${cursor}`).toString('base64url');
}

/** Unwraps a cursor; undefined for any other text. Accepts one spelling only, so that a page has one cache entry. */
function unwrapped(text: string): Wrapped | undefined {
  const [first, createdSince = '', ...rest] = Buffer.from(text, 'base64url').toString('latin1').split(' ');
  const cursor = rest.join(' ');
  if (first !== mark || !cursorPattern.test(cursor)) return undefined;
  if (createdSince !== '' && parseInstant(createdSince) !== createdSince) return undefined;
  const step = { ...(createdSince !== '' && { createdSince }), cursor };
  return wrapped(step) === text ? step : undefined;
}

/** Unwraps a cursor that a client may have encoded again. A wrapped cursor has no `%`. */
function received(text: string): Wrapped | undefined {
  let cursor: string | undefined = text;
  for (let decoded = 0; cursor !== undefined && decoded <= maxEncodings; decoded++) {
    const step = unwrapped(cursor);
    if (step) return step;
    cursor = cursor.includes('%') ? decode(cursor) : undefined;
  }
  return undefined;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Parameters as v2 programs send them: an instant without a zone is UTC (Python's `isoformat()`), a cursor may be wrapped. */
const parameters: typeof pageParameters = {
  ...pageParameters,
  created_since: {
    ...pageParameters.created_since,
    schema: z.string().refine((text) => parseInstantInUtc(text) !== undefined),
  },
  // Wrapping can make a cursor longer than the limit.
  next: {
    ...pageParameters.next,
    schema: z.string().refine((text) => cursorPattern.test(text) || received(text) !== undefined),
  },
};

/**
 * Parses the query of a v2 program. Passes a malformed wrapped cursor on for Constant Contact to refuse.
 *
 * @throws Problem `invalid-request`
 */
export function parseDropInQuery(report: Report, id: string, search: string, ids: CampaignIdRule): PageQuery {
  const query = parsePageQuery(report, id, search, ids, parameters);
  return { ...query, ...(query.kind === 'next' && received(query.cursor)), form: 'v2' };
}

const keys: Readonly<Partial<Record<ProblemCode, string>>> = {
  'invalid-request': 'query.param.invalid',
  'invalid-cursor': 'query.param.invalid',
  unauthorized: 'http.status.authentication.invalid_token',
  'not-found': 'http.status.not_found',
  'campaign-not-found': 'http.status.not_found',
  'not-acceptable': 'http.status.not_acceptable',
  'method-not-allowed': 'http.status.method_not_allowed',
  'internal-error': 'http.status.internal_server_error',
};

/** Formats an error in v2's form, with a Sendgate key if v2 has none. */
export function dropInError({ code, message, errors }: Problem): string {
  const details = errors?.map(({ parameter, problem, allowed }) => `${parameter} ${problem}; allowed: ${allowed}`);
  const messages = details ?? [message];
  const error_key = keys[code] ?? `sendgate.${code}`;
  return JSON.stringify(messages.map((error_message) => ({ error_key, error_message })));
}

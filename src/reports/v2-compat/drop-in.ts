/**
 * Constant Contact v2's own resources, for programs written for v2: the same pages in v2's form.
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

/** A link as v2 writes it: from the root of its API, with a cursor that carries everything. */
export function dropInLink(step: NextPage): string {
  return `${dropInPath(reports[step.report]).replace(':id', encodeURIComponent(step.campaign))}?next=${wrapped(step)}`;
}

/** Characters that no encoding changes (RFC 3986 §2.3): some SDKs encode the cursor of a link once more. */
const plainPattern = /^[\w.~-]+$/;
/** Marks a cursor of ours. */
const mark = 'sendgate';
/** How many times a client may have encoded a cursor again. */
const maxEncodings = 2;

/** What a cursor of ours carries. */
type Wrapped = Pick<NextPage, 'createdSince' | 'cursor'>;

/**
 * A cursor that goes alone and survives being encoded again. v2's cursors carry `created_since`, so it is wrapped in, and so is a
 * cursor that would have to be encoded.
 */
function wrapped({ createdSince = '', cursor }: Wrapped): string {
  if (createdSince === '' && plainPattern.test(cursor)) return cursor;
  return Buffer.from(`${mark} ${createdSince} ${cursor}`).toString('base64url');
}

/** What a cursor of ours carries; undefined for any other text. Each has one spelling, and so one page in the cache. */
function unwrapped(text: string): Wrapped | undefined {
  const [first, createdSince = '', ...rest] = Buffer.from(text, 'base64url').toString('latin1').split(' ');
  const cursor = rest.join(' ');
  if (first !== mark || !cursorPattern.test(cursor)) return undefined;
  if (createdSince !== '' && parseInstant(createdSince) !== createdSince) return undefined;
  const step = { ...(createdSince !== '' && { createdSince }), cursor };
  return wrapped(step) === text ? step : undefined;
}

/** The same for a cursor that a client may have encoded again: unencoded, none of ours has a `%`. */
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

/** As v2 programs send them: instants without a zone are in UTC (Python's `isoformat()`), and cursors may be wrapped. */
const parameters: typeof pageParameters = {
  ...pageParameters,
  created_since: {
    ...pageParameters.created_since,
    schema: z.string().refine((text) => parseInstantInUtc(text) !== undefined),
  },
  // Wrapped, a cursor is longer than one may be by itself.
  next: {
    ...pageParameters.next,
    schema: z.string().refine((text) => cursorPattern.test(text) || received(text) !== undefined),
  },
};

/**
 * The query of a v2 program. A cursor that only looks like one of ours is left to Constant Contact to refuse.
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

/** An error in v2's form; with a key of our own where v2 had none. */
export function dropInError({ code, message, errors }: Problem): string {
  const details = errors?.map(({ parameter, problem, allowed }) => `${parameter} ${problem}; allowed: ${allowed}`);
  const messages = details ?? [message];
  const error_key = keys[code] ?? `sendgate.${code}`;
  return JSON.stringify(messages.map((error_message) => ({ error_key, error_message })));
}

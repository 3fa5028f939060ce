/**
 * Links and cursors in v2's form.
 */
import { cursorPattern } from '../../model/cursor.ts';
import { parseInstant } from '../../model/instant.ts';
import type { NextPage } from '../../model/page-query.ts';
import type { Report } from '../../model/report.ts';
import { reports } from '../../model/reports.ts';
import type { ReportName } from '../../model/resource.ts';

/** Path of a report in v2. @param campaign its id, encoded, or a parameter of a route */
export const dropInPath = ({ v2 }: Report, campaign: string) =>
  `/v2/emailmarketing/campaigns/${campaign}/tracking/${v2.segment}`;

/** Builds a link in v2's form: from the root of its API, with a self-contained cursor. */
export function dropInLink(step: NextPage): string {
  const path = dropInPath(reports[step.resource as ReportName], encodeURIComponent(step.campaign));
  const filtered = step.filter === undefined ? path : `${path}/${encodeURIComponent(step.filter)}`;
  return `${filtered}?next=${wrapped(step)}`;
}

/** Unreserved characters (RFC 3986 §2.3), which encoding leaves alone: some SDKs encode a link's cursor again. */
const plainPattern = /^[\w.~-]+$/;
/** Marks a wrapped cursor. */
const mark = 'sendgate';
/** Extra encodings of a cursor that are undone. */
const maxEncodings = 2;

/** Contents of a wrapped cursor. */
type Wrapped = Pick<NextPage, 'since' | 'cursor'>;

/**
 * Wraps a cursor so that it is self-contained and survives repeated encoding: v2's cursors include `created_since`. Leaves it as
 * it is if neither is needed.
 */
function wrapped({ since = '', cursor }: Wrapped): string {
  if (since === '' && plainPattern.test(cursor)) return cursor;
  return Buffer.from(`${mark} ${since} ${cursor}`).toString('base64url');
}

/** Unwraps a cursor; undefined for any other text. Accepts one spelling only, so that a page has one cache entry. */
function unwrapped(text: string): Wrapped | undefined {
  const [first, since = '', ...rest] = Buffer.from(text, 'base64url').toString('latin1').split(' ');
  const cursor = rest.join(' ');
  if (first !== mark || !cursorPattern.test(cursor)) return undefined;
  if (since !== '' && parseInstant(since) !== since) return undefined;
  const step = { ...(since !== '' && { since }), cursor };
  return wrapped(step) === text ? step : undefined;
}

/** Unwraps a cursor that a client may have encoded again. A wrapped cursor has no `%`. */
export function received(text: string): Wrapped | undefined {
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

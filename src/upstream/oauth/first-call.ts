/**
 * Tests a new access token with two calls that read no personal data.
 */
import { Problem } from '../../problems.ts';
import type { ErrorReply } from '../adapter.ts';
import { readErrorBody } from '../error-body.ts';
import { hasNoPath, isAccessDenied } from '../error-meaning.ts';
import { mayReadReports, privilegesPath } from '../privileges.ts';
import type { Transport } from '../transport.ts';
import { xrefsPath } from '../v3-ids.ts';

/** `untried`: no sane response, which says nothing about the token. */
export type FirstCall =
  | { readonly outcome: 'works' | 'untried' | 'no-reports' }
  | { readonly outcome: 'refused'; readonly status: number };

/** Requests the user's privileges, and the meaning of v2 id 1. */
export async function tryOut(
  accessToken: string,
  transport: Pick<Transport, 'send'>,
  timeoutMs: number,
): Promise<FirstCall> {
  const headers = { authorization: `Bearer ${accessToken}` };
  let isUntried = false;
  for (const [path, query] of [
    [privilegesPath, {}],
    [xrefsPath, { v2_email_campaign_ids: '1' }],
  ] as const) {
    const reply = await transport.send({ path, query, headers }, timeoutMs).catch(() => undefined);
    const read = reply && { ...reply, error: readErrorBody(reply.body) };
    const refused = read && refusalIn(read, path);
    if (refused) return refused;
    isUntried ||= read === undefined || read.status >= 500 || read.status === 429;
  }
  return { outcome: isUntried ? 'untried' : 'works' };
}

function refusalIn(reply: ErrorReply, path: string): FirstCall | undefined {
  const { status } = reply;
  if (isAccessDenied(reply)) return { outcome: 'no-reports' };
  if (path === privilegesPath && status === 200 && !readsReports(reply.body)) return { outcome: 'no-reports' };
  // The path for v2's ids may have been removed, as announced: not a refusal.
  if (path === xrefsPath && hasNoPath(reply)) return undefined;
  return status === 401 || status === 403 ? { outcome: 'refused', status } : undefined;
}

/** Whether the user may read reports; true if the list is unreadable. */
function readsReports(body: string): boolean {
  try {
    mayReadReports(body);
    return true;
  } catch (error) {
    return !(error instanceof Problem && error.reason === 'privileges');
  }
}

/**
 * Tries an access token that a person has just allowed: two calls that read no personal data.
 */
import { Problem } from '../../problems.ts';
import type { ErrorReply } from '../adapter.ts';
import { readErrorBody } from '../error-body.ts';
import { hasNoPath, isAccessDenied } from '../error-meaning.ts';
import { mayReadReports, privilegesPath } from '../privileges.ts';
import type { Transport } from '../transport.ts';
import { xrefsPath } from '../v3-ids.ts';

/** `untried`: Constant Contact gave no sane answer, which says nothing of the token. */
export type FirstCall =
  | { readonly outcome: 'works' | 'untried' | 'no-reports' }
  | { readonly outcome: 'refused'; readonly status: number };

/** Asks for the user's privileges, and for what the v2 id 1 means. */
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
  // That the path for v2's ids has been removed, as announced, is no refusal.
  if (path === xrefsPath && hasNoPath(reply)) return undefined;
  return status === 401 || status === 403 ? { outcome: 'refused', status } : undefined;
}

/** A list that cannot be read tells nothing. */
function readsReports(body: string): boolean {
  try {
    mayReadReports(body);
    return true;
  } catch (error) {
    return !(error instanceof Problem && error.reason === 'privileges');
  }
}

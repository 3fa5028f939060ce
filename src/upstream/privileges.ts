/**
 * `GET /v3/account/user/privileges`: what the user who authorized Sendgate may do. Needs no scope (vendor's documentation).
 */
import { z } from 'zod';
import { Problem } from '../problems.ts';
import { parseAnswer } from './parse-answer.ts';

export const privilegesPath = '/v3/account/user/privileges';
/** Privilege required for every report (vendor's documentation). */
const reportPrivilege = 'ui:campaign:metrics';
const privileges = z.array(z.object({ privilege_name: z.string() })).min(1);

/**
 * Checks the privileges. Ignores a list of unknown form.
 *
 * @throws Problem `upstream-credentials-refused` if reports are not among them, `upstream-failed` if the body is not JSON
 */
export function mayReadReports(body: string): void {
  const { data } = privileges.safeParse(parseAnswer(z.unknown(), body));
  if (data && !data.some(({ privilege_name }) => privilege_name === reportPrivilege)) {
    throw new Problem('upstream-credentials-refused', { reason: 'privileges' });
  }
}

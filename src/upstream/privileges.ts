/**
 * `GET /v3/account/user/privileges`: what the user who authorized Sendgate may do. It needs no scope (vendor's documentation).
 */
import { z } from 'zod';
import { Problem } from '../problems.ts';
import { parseAnswer } from './parse-answer.ts';

export const privilegesPath = '/v3/account/user/privileges';
/** The privilege without which every report is refused (vendor's documentation). */
const reportPrivilege = 'ui:campaign:metrics';
const privileges = z.array(z.object({ privilege_name: z.string() })).min(1);

/**
 * Reads the privileges; a list that cannot be read tells nothing.
 *
 * @throws Problem `upstream-credentials-refused` when reports are not among them, `upstream-failed` when the body is no JSON
 */
export function mayReadReports(body: string): void {
  const { data } = privileges.safeParse(parseAnswer(z.unknown(), body));
  if (data && !data.some(({ privilege_name }) => privilege_name === reportPrivilege)) {
    throw new Problem('upstream-credentials-refused', { reason: 'privileges' });
  }
}

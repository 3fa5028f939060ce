/**
 * Errors in v2's form.
 */
import type { Problem, ProblemCode } from '../../problems.ts';

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

/**
 * Responses with a problem, by status.
 */
import { Problem, type ProblemCode, problemCodes, problemSchema, problems } from '../../problems.ts';
import { type Json, ref, toJsonSchema } from './json-schema.ts';
import { commonHeaders, header } from './parameters.ts';

/** Problems that any request can get. */
export const problemsOfAll = [
  ...(['malformed-request', 'request-timeout', 'expectation-failed', 'headers-too-large'] as const),
  ...(['unauthorized', 'origin-not-allowed', 'misdirected-request', 'rate-limited', 'internal-error'] as const),
] as const;

/** Problems of requests that may call Constant Contact, in addition to `problemsOfAll`. */
export const problemsOfCampaigns = [
  ...problemsOfAll,
  ...(['invalid-request', 'not-acceptable', 'campaign-not-found'] as const),
  ...(['upstream-credentials-refused', 'upstream-gone', 'upstream-failed'] as const),
  ...(['upstream-busy', 'upstream-quota-exhausted', 'upstream-timeout'] as const),
] as const;

/** One response for each status of these problems. */
export function problemResponses(codes: readonly ProblemCode[], basePath: string): Json {
  const statuses = new Set(codes.map((code) => problems[code].status));
  const at = (status: number) => codes.filter((code) => problems[code].status === status);
  return Object.fromEntries([...statuses].map((status) => [status, problemResponse(at(status), basePath)]));
}

/** All problems by code, including those that belong to no operation, such as a wrong path or method. */
export const problemComponents = (basePath: string): Json =>
  Object.fromEntries(problemCodes.map((code) => [code, problemResponse([code], basePath)]));

export function problemSchemaOf(basePath: string): Json {
  const { properties, ...rest } = toJsonSchema(problemSchema) as { properties: Record<string, Json> };
  const types = problemCodes.map((code) => new Problem(code).type(basePath));
  return { ...rest, properties: { ...properties, type: { ...properties['type'], enum: types } } };
}

function problemResponse(codes: readonly ProblemCode[], basePath: string): Json {
  const [first] = codes;
  const hasRetryAfter = codes.some((code) => problems[code].status === 429 || problems[code].status === 503);
  return {
    description: codes.map((code) => problems[code].title).join('; or '),
    headers: {
      'X-Request-Id': commonHeaders['X-Request-Id'],
      ...(hasRetryAfter ? { 'Retry-After': header('Seconds to wait') } : {}),
      ...(first === 'method-not-allowed' ? { Allow: header('The allowed methods') } : {}),
      ...(first === 'unauthorized' ? { 'WWW-Authenticate': header('How a team authenticates') } : {}),
    },
    content: {
      'application/problem+json': {
        schema: {
          allOf: [ref('Problem')],
          properties: {
            type: { enum: codes.map((code) => new Problem(code).type(basePath)) },
            status: { enum: [...new Set(codes.map((code) => problems[code].status))] },
          },
        },
        examples: Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code, basePath) }])),
      },
    },
  };
}

function exampleOf(code: ProblemCode, basePath: string): unknown {
  const allowed = 'an integer from 1 to 500';
  const errors = code === 'invalid-request' ? [{ parameter: 'limit', problem: 'is out of range', allowed }] : undefined;
  return JSON.parse(new Problem(code, { errors }).body('0f8fad5b-d9cb-469f-a165-70867728950e', basePath));
}

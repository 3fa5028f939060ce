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

/** Problems of requests that are refused before they are counted: their responses have no `RateLimit`. */
const uncounted: ReadonlySet<ProblemCode> = new Set([
  ...(['malformed-request', 'request-timeout', 'expectation-failed', 'headers-too-large'] as const),
  ...(['origin-not-allowed', 'misdirected-request'] as const),
]);

const components = '#/components/responses/';
/** Between the codes in the name of a response to several problems. */
const or = '-or-';

/** A reference to one response for each status of these problems. */
export function problemResponses(codes: readonly ProblemCode[]): Json {
  const statuses = new Set(codes.map((code) => problems[code].status));
  const at = (status: number) => codes.filter((code) => problems[code].status === status);
  return Object.fromEntries([...statuses].map((status) => [status, { $ref: `${components}${at(status).join(or)}` }]));
}

/** All problems by code, including those that belong to no operation, and the responses that `paths` refers to. */
export function problemComponents(basePath: string, paths: Json): Json {
  const referred = [...JSON.stringify(paths).matchAll(/#\/components\/responses\/([\w-]+)/g)].map(
    ([, name = '']) => name,
  );
  const names = new Set([...problemCodes, ...referred]);
  return Object.fromEntries(
    [...names].map((name) => [name, problemResponse(name.split(or) as ProblemCode[], basePath)]),
  );
}

export function problemSchemaOf(basePath: string): Json {
  const { properties, ...rest } = toJsonSchema(problemSchema) as { properties: Record<string, Json> };
  const types = problemCodes.map((code) => new Problem(code).type(basePath));
  return { ...rest, properties: { ...properties, type: { ...properties['type'], enum: types } } };
}

function problemResponse(codes: readonly ProblemCode[], basePath: string): Json {
  const [first] = codes;
  const { 'X-Request-Id': requestId, ...rateLimit } = commonHeaders;
  const hasRetryAfter = codes.some((code) => problems[code].status === 429 || problems[code].status === 503);
  return {
    description: codes.map((code) => problems[code].title).join('; or '),
    headers: {
      'X-Request-Id': requestId,
      ...(codes.every((code) => uncounted.has(code)) ? {} : rateLimit),
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

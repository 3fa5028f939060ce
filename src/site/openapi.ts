/**
 * The description of the API (OpenAPI 3.1), made of the schemas that validate.
 */
import { z } from 'zod';
import { summarySchema } from '../campaigns/summary.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { sendSchema } from '../model/sends.ts';
import { publicStatusSchema } from '../observability/status.ts';
import { Problem, type ProblemCode, problemCodes, problemSchema, problems } from '../problems.ts';
import { type ExportName, exportFormats, exportNames } from '../reports/export/formats.ts';
import { pageSchema } from '../reports/page-json.ts';
import { exportParameters, sendsParameters, summaryParameters } from '../reports/query.ts';

export interface DescriptionOptions {
  readonly version: string;
  readonly basePath: string;
  readonly campaignIds: CampaignIdRule;
}

type Json = Readonly<Record<string, unknown>>;

/** What can go wrong with every request; with one that has parameters; with one that Constant Contact may be asked for. */
const always = [
  ...(['malformed-request', 'request-timeout', 'expectation-failed', 'headers-too-large'] as const),
  ...(['unauthorized', 'origin-not-allowed', 'misdirected-request', 'rate-limited', 'internal-error'] as const),
] as const;
const asked = ['invalid-request', 'not-acceptable'] as const;
const upstream = [
  'campaign-not-found',
  'upstream-credentials-refused',
  'upstream-gone',
  'upstream-failed',
  'upstream-busy',
  'upstream-quota-exhausted',
  'upstream-timeout',
] as const;

const exampleId = '1100394165287';
/** The vendor's documented answer, as it comes from here. */
const examplePage = {
  meta: { pagination: { next_link: `/campaigns/${exampleId}/sends?next=c3RhcnRBdD0zJmxpbWl0PTI` } },
  results: [
    {
      activity_type: 'EMAIL_SEND',
      campaign_id: exampleId,
      contact_id: '21',
      email_address: 'abc@example.com',
      send_date: '2012-12-06T13:06:14.762Z',
    },
  ],
} satisfies z.output<typeof pageSchema>;

const exampleStatus = {
  upstream: {
    ...{ callsThisSecond: 2, perSecond: 4, callsToday: 1_204, leftToday: 8_796, dayEndsAt: '2026-01-02T00:00:00.000Z' },
    ...{ circuit: 'closed', credentials: 'ok', quota: 'ok', api: 'ok' },
  },
  teams: [{ team: 'web', calls: 1_204, part: 5_000, borrowed: 0, available: 3_796 }],
  queues: [{ team: 'web', urgency: 'interactive', waiting: 1, waitP50: 0.12, waitP95: 0.8, calls: 1_100 }],
  served: { web: { fresh: 28_111, stale: 12, miss: 1_088 } },
} satisfies z.output<typeof publicStatusSchema>;

export function describeApi({ version, basePath, campaignIds }: DescriptionOptions): Json {
  const id = {
    name: 'id',
    in: 'path',
    required: true,
    description: `Campaign: ${campaignIds.allowed}.`,
    schema: toJsonSchema(z.string().regex(campaignIds.pattern)),
    example: exampleId,
  };
  const problemsAt = (codes: readonly ProblemCode[]) => problemResponses(codes, basePath);

  const paths = {
    '/campaigns/{id}/sends': reads({
      operationId: 'getSends',
      tags: ['Sends'],
      summary: 'A page of the sends of a campaign',
      description:
        'Sends come newest first. Follow `next_link` until there is none. A page is answered from the cache where it can be; `Cache-Status` says whether it was.',
      parameters: [id, ...queryParameters(sendsParameters), ...conditional],
      responses: {
        200: {
          description: 'The page',
          headers: { ...common, ...cached },
          content: { 'application/json': { schema: ref('SendsPage'), example: examplePage } },
        },
        304: { description: 'The page is the one that the caller has', headers: { ...common, ...cached } },
        ...problemsAt([...always, ...asked, 'invalid-cursor', ...upstream]),
      },
    }),
    ...Object.fromEntries(
      exportNames.map((name) => [
        `/campaigns/{id}/sends.${name}`,
        reads({
          operationId: `export${name === 'csv' ? 'Csv' : 'Ndjson'}`,
          tags: ['Sends'],
          summary: `All sends of a campaign, as ${name.toUpperCase()}`,
          description:
            'Streamed page by page, every send once, at the pace of its reader. When Constant Contact fails for good on the way, the connection is broken off: an export that ends is whole.',
          parameters: [id, ...queryParameters(exportParameters)],
          responses: {
            200: {
              description: 'The whole campaign',
              headers: { ...common, 'Content-Disposition': header('The name of the file') },
              content: { [exportFormats[name].mediaType]: exportContent(name) },
            },
            ...problemsAt([...always, ...asked, ...upstream]),
          },
        }),
      ]),
    ),
    '/campaigns/{id}/sends/summary': reads({
      operationId: 'getSummary',
      tags: ['Sends'],
      summary: 'How many sends a campaign has, without reading them',
      parameters: [id, ...queryParameters(summaryParameters)],
      responses: {
        200: {
          description: 'The summary; at most a minute old while Constant Contact answers',
          headers: common,
          content: {
            'application/json': {
              schema: ref('Summary'),
              example: { campaign_id: exampleId, sends: 3 } satisfies z.output<typeof summarySchema>,
            },
          },
        },
        ...problemsAt([...always, ...asked, ...upstream]),
      },
    }),
    '/status': reads({
      operationId: 'getStatus',
      tags: ['Status'],
      summary: "What goes on right now: the account's limits, who waits, what was served",
      parameters: [],
      responses: {
        200: {
          description: 'The present state of the instance that answers',
          headers: common,
          content: { 'application/json': { schema: ref('Status'), example: exampleStatus } },
        },
        ...problemsAt([...always, 'not-acceptable']),
      },
    }),
  };

  return {
    openapi: '3.1.0',
    info: {
      title: 'Sendgate',
      version,
      description:
        'Constant Contact\'s "email campaign sends" report, without a key, from a cache, within the account\'s limits. Errors are `application/problem+json` (RFC 9457); their `type` is the path of a page that says what to do.',
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    tags: [{ name: 'Sends' }, { name: 'Status' }],
    security: [{}, { team: [] }],
    paths,
    components: {
      securitySchemes: {
        team: {
          type: 'http',
          scheme: 'bearer',
          description: "A team's token, where the operators have given it one. Without it the address decides.",
        },
      },
      schemas: {
        Send: toJsonSchema(sendSchema),
        SendsPage: withRefs(toJsonSchema(pageSchema)),
        Summary: toJsonSchema(summarySchema),
        Status: toJsonSchema(publicStatusSchema),
        Problem: withTypes(toJsonSchema(problemSchema), problemCodes, basePath),
      },
      // Those that belong to no operation are here, too: a wrong path, a wrong method.
      responses: Object.fromEntries(problemCodes.map((code) => [code, problemResponse([code], basePath)])),
    },
  };
}

/** GET, and HEAD, which is the same without a body. */
function reads(operation: Json & { readonly operationId: string; readonly responses: Json }): Json {
  const responses = Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => {
      const { content: _, ...head } = response as Json;
      return [status, head];
    }),
  );
  const { operationId, summary } = operation;
  return {
    get: operation,
    head: { ...operation, operationId: `${operationId}Head`, summary: `${summary}: headers`, responses },
  };
}

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const header = (description: string) => ({ description, schema: { type: 'string' } });

const common = {
  'X-Request-Id': header('Quote it when you ask for help'),
  RateLimit: header('What is left of the requests of this minute'),
  'RateLimit-Policy': header('How many there are'),
};
const cached = {
  ETag: header('Send it back as `If-None-Match`'),
  'Last-Modified': header('When the newest send of the page was'),
  Age: header('Seconds since Constant Contact was asked'),
  Link: header('The same as `next_link`, with `rel="next"`'),
  'Cache-Status': header('Whether the cache answered (RFC 9211), e.g. `sendgate; hit; ttl=41`'),
};
const conditional = [
  ['If-None-Match', 'The `ETag` of a page that the caller has'],
  ['Cache-Control', '`no-cache` or `max-age=n` asks for a fresher page; granted once a minute'],
].map(([name, description]) => ({ name, in: 'header', description, schema: { type: 'string' } }));

/** A schema as OpenAPI has it, by what comes out of it. */
function toJsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // That an integer is a safe one is zod's business.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }) as Json;
  return json;
}

function queryParameters(parameters: Readonly<Record<string, { readonly schema: z.ZodType }>>): Json[] {
  return Object.entries(parameters).map(([name, { schema }]) => {
    const { description, examples, ...rest } = toJsonSchema(schema) as Json & { examples?: readonly unknown[] };
    return { name, in: 'query', description, schema: rest, ...(examples ? { example: examples[0] } : {}) };
  });
}

/** A send within a page is a Send. */
function withRefs(page: Json): Json {
  const { properties, ...rest } = page as { properties: Json };
  return { ...rest, properties: { ...properties, results: { type: 'array', items: ref('Send') } } };
}

function withTypes(problem: Json, codes: readonly ProblemCode[], basePath: string): Json {
  const { properties, ...rest } = problem as { properties: Record<string, Json> };
  const types = codes.map((code) => new Problem(code).type(basePath));
  return { ...rest, properties: { ...properties, type: { ...properties['type'], enum: types } } };
}

function exportContent(name: ExportName): Json {
  const { head, lines } = exportFormats[name];
  return { schema: { type: 'string' }, example: head + lines(JSON.stringify(examplePage.results)) };
}

/** The responses of an operation, by status. */
function problemResponses(codes: readonly ProblemCode[], basePath: string): Json {
  const statuses = new Set(codes.map((code) => problems[code].status));
  const at = (status: number) => codes.filter((code) => problems[code].status === status);
  return Object.fromEntries([...statuses].map((status) => [status, problemResponse(at(status), basePath)]));
}

function problemResponse(codes: readonly ProblemCode[], basePath: string): Json {
  const [first] = codes;
  const hasRetryAfter = codes.some((code) => problems[code].status === 429 || problems[code].status === 503);
  return {
    description: codes.map((code) => problems[code].title).join('; or '),
    headers: {
      'X-Request-Id': common['X-Request-Id'],
      ...(hasRetryAfter ? { 'Retry-After': header('Seconds to wait') } : {}),
      ...(first === 'method-not-allowed' ? { Allow: header('The methods that there are') } : {}),
      ...(first === 'unauthorized' ? { 'WWW-Authenticate': header('How a team says who it is') } : {}),
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

/**
 * The API's description (OpenAPI 3.1), derived from the schemas that validate.
 */
import type { z } from 'zod';
import { summaryPath, summarySchema } from '../../campaigns/summary-endpoint.ts';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import { allReports } from '../../model/reports.ts';
import { publicStatusSchema } from '../../observability/status.ts';
import { summaryParameters } from '../../reports/parameters.ts';
import { exampleCampaign, exampleStatus } from './examples.ts';
import { type Json, ref, toJsonSchema } from './json-schema.ts';
import { reads } from './operation.ts';
import { campaignParameter, commonHeaders, queryParameters } from './parameters.ts';
import {
  problemComponents,
  problemResponses,
  problemSchemaOf,
  problemsOfAll,
  problemsOfCampaigns,
} from './problem-responses.ts';
import { reportPaths, reportSchemas, tagOf } from './report-paths.ts';

export interface DescriptionOptions {
  readonly version: string;
  readonly basePath: string;
  readonly campaignIds: CampaignIdRule;
}

export function describeApi(options: DescriptionOptions): Json {
  const { version, basePath } = options;
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sendgate',
      version,
      description:
        'Constant Contact\'s "email campaign sends" report without a key, cached and within the account\'s limits. Errors are `application/problem+json` (RFC 9457); `type` is the path of a page that says what to do.',
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    tags: [...allReports.map((report) => ({ name: tagOf(report) })), { name: 'Status' }],
    security: [{}, { team: [] }],
    paths: {
      ...Object.assign({}, ...allReports.map((report) => reportPaths(report, options))),
      [summaryPath.replace(':id', '{id}')]: summaryOperations(options),
      '/status': statusOperations(basePath),
    },
    components: {
      securitySchemes: {
        team: {
          type: 'http',
          scheme: 'bearer',
          description: "Your team's token, if operators issued one. Without it, your address decides your team.",
        },
      },
      schemas: {
        ...Object.assign({}, ...allReports.map(reportSchemas)),
        Summary: toJsonSchema(summarySchema),
        Status: toJsonSchema(publicStatusSchema),
        Problem: problemSchemaOf(basePath),
      },
      responses: problemComponents(basePath),
    },
  };
}

const summaryOperations = ({ basePath, campaignIds }: DescriptionOptions) =>
  reads({
    operationId: 'getSummary',
    tags: ['Sends'],
    summary: 'The number of sends of a campaign',
    parameters: [campaignParameter(campaignIds), ...queryParameters(summaryParameters)],
    responses: {
      200: {
        description: 'The summary, at most a minute old while Constant Contact is up',
        headers: commonHeaders,
        content: {
          'application/json': {
            schema: ref('Summary'),
            example: { campaign_id: exampleCampaign, sends: 3 } satisfies z.output<typeof summarySchema>,
          },
        },
      },
      ...problemResponses(problemsOfCampaigns, basePath),
    },
  });

const statusOperations = (basePath: string) =>
  reads({
    operationId: 'getStatus',
    tags: ['Status'],
    summary: "Current state: the account's limits, queues, and pages served",
    parameters: [],
    responses: {
      200: {
        description: 'The state of the answering instance',
        headers: commonHeaders,
        content: { 'application/json': { schema: ref('Status'), example: exampleStatus } },
      },
      ...problemResponses([...problemsOfAll, 'not-acceptable'], basePath),
    },
  });

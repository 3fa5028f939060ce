/**
 * The API's description (OpenAPI 3.1), derived from the schemas that validate.
 */
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { List } from '../../model/list.ts';
import { reports } from '../../model/reports.ts';
import { lists } from '../../model/resources.ts';
import { publicStatusSchema } from '../../observability/status.ts';
import { detailOperations, detailSchemas } from './detail-paths.ts';
import { exampleStatus } from './examples.ts';
import { type Json, ref, toJsonSchema } from './json-schema.ts';
import { listPaths, listSchemas, tagOf } from './list-paths.ts';
import { reads } from './operation.ts';
import { commonHeaders } from './parameters.ts';
import { problemComponents, problemResponses, problemSchemaOf, problemsOfAll } from './problem-responses.ts';

/** The directory first: it is where callers begin. */
const allLists: readonly List[] = [lists.campaigns, ...Object.values(reports)];

export interface DescriptionOptions {
  readonly version: string;
  readonly basePath: string;
  readonly campaignIds: CampaignIdRule;
}

export function describeApi(options: DescriptionOptions): Json {
  const { version, basePath, campaignIds } = options;
  const paths: Json = {
    ...Object.assign({}, ...allLists.map((list) => listPaths(list, campaignIds))),
    ...detailOperations(campaignIds),
    '/status': statusOperations(),
  };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sendgate',
      version,
      description:
        "Constant Contact's campaigns and their reports without a key, cached and within the account's limits. Errors are `application/problem+json` (RFC 9457); `type` is the path of a page that says what to do. `HEAD` works wherever `GET` does.",
    },
    servers: [{ url: basePath === '' ? '/' : basePath }],
    tags: [...allLists.map((list) => ({ name: tagOf(list) })), { name: 'Status' }],
    security: [{}, { team: [] }],
    paths,
    components: {
      securitySchemes: {
        team: {
          type: 'http',
          scheme: 'bearer',
          description: "Your team's token, if operators issued one. Without it, your address decides your team.",
        },
      },
      schemas: {
        ...Object.assign({}, ...allLists.map(listSchemas)),
        ...detailSchemas(),
        Status: toJsonSchema(publicStatusSchema),
        Problem: problemSchemaOf(basePath),
      },
      responses: problemComponents(basePath, paths),
    },
  };
}

const statusOperations = () =>
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
      ...problemResponses([...problemsOfAll, 'not-acceptable']),
    },
  });

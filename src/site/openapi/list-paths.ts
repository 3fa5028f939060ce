/**
 * Paths and schemas of a list's pages and exports, derived from its descriptor.
 */
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { List } from '../../model/list.ts';
import type { ListName } from '../../model/resource.ts';
import { type ExportName, exportFormats, exportNames } from '../../reports/export/formats.ts';
import { pageSchemaOf } from '../../reports/page-json.ts';
import { exportParameters, pageParameters } from '../../reports/parameters.ts';
import { examplePage } from './examples.ts';
import { type Json, ref, toJsonSchema } from './json-schema.ts';
import { reads } from './operation.ts';
import {
  campaignParameter,
  commonHeaders,
  conditionalParameters,
  header,
  pageHeaders,
  queryParameters,
} from './parameters.ts';
import { problemResponses, problemsOfCampaigns } from './problem-responses.ts';

/** The tag of a list's operations: `Sends`. */
export const tagOf = ({ name }: List) => capital(name);

const isOfAccount = ({ askedField }: List) => askedField === undefined;

export function listPaths(list: List, campaignIds: CampaignIdRule): Json {
  const path = isOfAccount(list) ? `/${list.name}` : `/campaigns/{id}/${list.name}`;
  return {
    [path]: pageOperations(list, campaignIds),
    ...Object.fromEntries(
      exportNames.map((format) => [`${path}.${format}`, exportOperations(list, format, campaignIds)]),
    ),
  };
}

/** `Send` and `SendsPage`. */
export function listSchemas(list: List): Json {
  const { properties, ...rest } = toJsonSchema(pageSchemaOf(list)) as { properties: Json };
  const row = capital(list.rowName);
  return {
    [row]: toJsonSchema(list.schema),
    [pageSchemaName(list)]: { ...rest, properties: { ...properties, results: { type: 'array', items: ref(row) } } },
  };
}

const pathParameters = (list: List, campaignIds: CampaignIdRule) =>
  isOfAccount(list) ? [] : [campaignParameter(campaignIds)];

const ofWhat = (list: List) => (isOfAccount(list) ? 'of the account' : 'of a campaign');

const problemsOf = (list: List) =>
  isOfAccount(list) ? problemsOfCampaigns.filter((code) => code !== 'campaign-not-found') : problemsOfCampaigns;

const order = (list: List) => (isOfAccount(list) ? "In Constant Contact's order" : 'Newest first');

function pageOperations(list: List, campaignIds: CampaignIdRule): Json {
  return reads({
    operationId: `get${capital(list.name)}`,
    tags: [tagOf(list)],
    summary: `A page of the ${list.name} ${ofWhat(list)}`,
    description: `${order(list)}. Follow \`next_link\` to the last page, which has none. \`Cache-Status\` says whether the page came from the cache.`,
    parameters: [
      ...pathParameters(list, campaignIds),
      ...queryParameters(pageParameters(list)),
      ...conditionalParameters,
    ],
    responses: {
      200: {
        description: 'The page',
        headers: pageHeaders,
        content: { 'application/json': { schema: ref(pageSchemaName(list)), example: examplePage(list) } },
      },
      304: { description: 'The page has not changed', headers: pageHeaders },
      ...problemResponses([...problemsOf(list), 'invalid-cursor']),
    },
  });
}

function exportOperations(list: List, name: ExportName, campaignIds: CampaignIdRule): Json {
  const { mediaType, head, lines } = exportFormats[name](list);
  return reads({
    operationId: exportOperationId(list, name),
    tags: [tagOf(list)],
    summary: `All ${list.name} ${ofWhat(list)}, as ${name.toUpperCase()}`,
    description: `Streams each ${list.rowName} once, as fast as you read. A completed download is complete; on failure the connection is reset.`,
    parameters: [...pathParameters(list, campaignIds), ...queryParameters(exportParameters(list, name))],
    responses: {
      200: {
        description: `All ${list.name} ${ofWhat(list)}`,
        headers: { ...commonHeaders, 'Content-Disposition': header('The name of the file') },
        content: {
          [mediaType]: {
            schema: { type: 'string' },
            example: head + lines(JSON.stringify(examplePage(list).results)),
          },
        },
      },
      ...problemResponses(problemsOf(list)),
    },
  });
}

/** Generated clients use operation ids as function names, so those of the first report never change. */
const idsOfFirstReport: Readonly<Partial<Record<ListName, string>>> = { sends: '' };
const exportOperationId = (list: List, name: ExportName) =>
  `export${idsOfFirstReport[list.name] ?? capital(list.name)}${capital(name)}`;

const pageSchemaName = ({ name }: List) => `${capital(name)}Page`;

export const capital = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

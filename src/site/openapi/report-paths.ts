/**
 * Paths and schemas of a report's pages and exports, derived from its descriptor.
 */
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { Report, ReportName } from '../../model/report.ts';
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

interface Options {
  readonly basePath: string;
  readonly campaignIds: CampaignIdRule;
}

/** The tag of a report's operations: `Sends`. */
export const tagOf = ({ name }: Report) => capital(name);

export function reportPaths(report: Report, options: Options): Json {
  return {
    [`/campaigns/{id}/${report.name}`]: pageOperations(report, options),
    ...Object.fromEntries(
      exportNames.map((format) => [
        `/campaigns/{id}/${report.name}.${format}`,
        exportOperations(report, format, options),
      ]),
    ),
  };
}

/** `Send` and `SendsPage`. */
export function reportSchemas(report: Report): Json {
  const { properties, ...rest } = toJsonSchema(pageSchemaOf(report)) as { properties: Json };
  const row = capital(report.rowName);
  return {
    [row]: toJsonSchema(report.schema),
    [pageSchemaName(report)]: { ...rest, properties: { ...properties, results: { type: 'array', items: ref(row) } } },
  };
}

function pageOperations(report: Report, { basePath, campaignIds }: Options): Json {
  return reads({
    operationId: `get${capital(report.name)}`,
    tags: [tagOf(report)],
    summary: `A page of the ${report.name} of a campaign`,
    description: `Newest first. Follow \`next_link\` to the last page, which has none. \`Cache-Status\` says whether the page came from the cache.`,
    parameters: [campaignParameter(campaignIds), ...queryParameters(pageParameters), ...conditionalParameters],
    responses: {
      200: {
        description: 'The page',
        headers: pageHeaders,
        content: { 'application/json': { schema: ref(pageSchemaName(report)), example: examplePage(report) } },
      },
      304: { description: 'The page has not changed', headers: pageHeaders },
      ...problemResponses([...problemsOfCampaigns, 'invalid-cursor'], basePath),
    },
  });
}

function exportOperations(report: Report, name: ExportName, { basePath, campaignIds }: Options): Json {
  const { mediaType, head, lines } = exportFormats[name](report);
  return reads({
    operationId: exportOperationId(report, name),
    tags: [tagOf(report)],
    summary: `All ${report.name} of a campaign, as ${name.toUpperCase()}`,
    description: `Streams each ${report.rowName} once, as fast as you read. A completed download is complete; on failure the connection is reset.`,
    parameters: [campaignParameter(campaignIds), ...queryParameters(exportParameters)],
    responses: {
      200: {
        description: `All ${report.name} of the campaign`,
        headers: { ...commonHeaders, 'Content-Disposition': header('The name of the file') },
        content: {
          [mediaType]: {
            schema: { type: 'string' },
            example: head + lines(JSON.stringify(examplePage(report).results)),
          },
        },
      },
      ...problemResponses(problemsOfCampaigns, basePath),
    },
  });
}

/** Generated clients use operation ids as function names, so those of the first report never change. */
const idsOfFirstReport: Readonly<Partial<Record<ReportName, string>>> = { sends: '' };
const exportOperationId = (report: Report, name: ExportName) =>
  `export${idsOfFirstReport[report.name] ?? capital(report.name)}${capital(name)}`;

const pageSchemaName = ({ name }: Report) => `${capital(name)}Page`;

const capital = (name: string) => `${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/**
 * Paths and schemas of a campaign, its summary and its links.
 */
import { z } from 'zod';
import { detailPaths } from '../../campaigns/endpoints.ts';
import { campaignResource, linksResource, summaryResource } from '../../model/campaign.ts';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { DetailName, Resource } from '../../model/resource.ts';
import { exampleOf } from './examples.ts';
import { type Json, ref, toJsonSchema } from './json-schema.ts';
import { reads } from './operation.ts';
import { campaignParameter, conditionalParameters, detailHeaders } from './parameters.ts';
import { problemResponses, problemsOfCampaigns } from './problem-responses.ts';

interface Detail {
  readonly resource: Pick<Resource, 'schema'>;
  readonly schemaName: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
}

const freshness =
  'Fresh for a tenth of the time since the campaign last went out: five minutes at least, a day at most.';

const details: Readonly<Record<DetailName, Detail>> = {
  campaign: {
    resource: campaignResource,
    schemaName: 'CampaignDetails',
    operationId: 'getCampaign',
    summary: 'A campaign',
    description: freshness,
  },
  summary: {
    resource: summaryResource,
    schemaName: 'Summary',
    operationId: 'getSummary',
    summary: "A campaign's counts",
    description: `Costs no rows: Constant Contact counts. ${freshness}`,
  },
  links: {
    resource: linksResource,
    schemaName: 'Links',
    operationId: 'getLinks',
    summary: "A campaign's links, the most clicked first",
    description: freshness,
  },
};

const all = Object.entries(details) as readonly (readonly [DetailName, Detail])[];

const isList = (name: DetailName) => name === 'links';

const exampleFor = (name: DetailName, { resource: { schema } }: Detail) =>
  isList(name) ? { results: [exampleOf(schema)] } : exampleOf(schema);

export const detailSchemas = (): Json => ({
  Link: toJsonSchema(linksResource.schema),
  ...Object.fromEntries(
    all.map(([name, { schemaName, resource }]) => [
      schemaName,
      isList(name)
        ? {
            ...toJsonSchema(z.object({})),
            properties: { results: { type: 'array', items: ref('Link') } },
            required: ['results'],
          }
        : toJsonSchema(resource.schema),
    ]),
  ),
});

export const detailOperations = (campaignIds: CampaignIdRule): Json =>
  Object.fromEntries(
    all.map(([name, detail]) => [
      detailPaths[name].replace(':id', '{id}'),
      reads({
        operationId: detail.operationId,
        tags: ['Campaigns'],
        summary: detail.summary,
        description: detail.description,
        parameters: [campaignParameter(campaignIds), ...conditionalParameters],
        responses: {
          200: {
            description: detail.summary,
            headers: detailHeaders,
            content: { 'application/json': { schema: ref(detail.schemaName), example: exampleFor(name, detail) } },
          },
          304: { description: 'It has not changed', headers: detailHeaders },
          ...problemResponses(problemsOfCampaigns),
        },
      }),
    ]),
  );

/**
 * The parameters and headers of operations.
 */
import { z } from 'zod';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import type { Parameters } from '../../reports/parameters.ts';
import { type Json, toJsonSchema } from './json-schema.ts';

export const campaignParameter = ({ allowed, pattern }: CampaignIdRule): Json => ({
  name: 'id',
  in: 'path',
  required: true,
  description: `Campaign: ${allowed}.`,
  schema: toJsonSchema(z.string().regex(pattern)),
});

/** Without examples and defaults: where there is one, Swagger UI puts it into the field of *Try it out*, and sends it. */
export function queryParameters(parameters: Parameters): readonly Json[] {
  return Object.entries(parameters).map(([name, parameter]) => {
    const schema = parameter?.schema ?? z.never();
    const { description, ...rest } = toJsonSchema(schema);
    return { name, in: 'query', description, schema: rest };
  });
}

/** Request headers that revalidate a page or ask for a fresher one. */
export const conditionalParameters: readonly Json[] = [
  ['If-None-Match', 'The `ETag` of your copy of the page'],
  ['Cache-Control', '`no-cache` or `max-age=n` asks for a fresher page; honoured once a minute'],
].map(([name, description]) => ({ name, in: 'header', description, schema: { type: 'string' } }));

export const header = (description: string) => ({ description, schema: { type: 'string' } });

/** Headers of every response to a request that counts. */
export const commonHeaders = {
  'X-Request-Id': header('Request id; quote it when you ask for help'),
  RateLimit: header('Requests left in this minute'),
  'RateLimit-Policy': header('Requests allowed a minute'),
};

/** Headers of a single resource. */
export const detailHeaders = {
  ...commonHeaders,
  ETag: header('Send it back as `If-None-Match`'),
  Age: header('Seconds since it was fetched from Constant Contact'),
  'Cache-Status': header('Whether the cache answered (RFC 9211), e.g. `sendgate; hit; ttl=41`'),
};

/** Headers of a page. */
export const pageHeaders = {
  ...detailHeaders,
  'Last-Modified': header('Date of the newest row on the page; not of the directory'),
  Link: header('The same as `next_link`, with `rel="next"`'),
};

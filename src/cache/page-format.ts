/**
 * Renders pages to JSON and reads them back, and derives what the cache needs.
 */
import type { PageQuery } from '../model/page-query.ts';
import { type Item, newest, type ParsedPage, type Resource, type ResourceName } from '../model/resource.ts';
import { resources } from '../model/resources.ts';
import { identityOf } from './compression.ts';
import { makeBody, type Page, type RenderedContent } from './page.ts';

export interface PageFormat {
  readonly render: (query: PageQuery, page: ParsedPage) => { readonly json: string; readonly next: string | undefined };
  /** Reads rows from rendered JSON. @throws if it is not a page */
  readonly readRows: (resource: ResourceName, json: string) => readonly Item[];
  /** Encodes the body. Default `makeBody`; simulations, which serve no one, replace it. */
  readonly encode?: typeof makeBody;
}

/** Renders a page and derives its metadata from its rows. */
export function contentOf({ render }: PageFormat, query: PageQuery, page: ParsedPage): RenderedContent {
  const { json, next } = render(query, page);
  const [first] = page.rows;
  const resource = resources[query.resource];
  return {
    ...{ json, next, cursor: page.cursor, newestMs: lastModifiedMs(resource, page.rows) },
    first: first === undefined ? '' : resource.identity(first),
  };
}

/** Only a report changes with its newest date: a campaign can be renamed, or leave the directory. */
export const lastModifiedMs = (resource: Resource, rows: readonly Item[]) =>
  resource.freshness === 'report' ? newest(resource, rows) : undefined;

/** Reads the rows of a cached page. */
export async function rowsOf(
  { readRows }: PageFormat,
  resource: ResourceName,
  { body }: Page,
): Promise<readonly Item[]> {
  return readRows(resource, (await identityOf(body)).toString());
}

/** Returns the body for a content; reuses a cached body with the same ETag. */
export async function bodyFor(
  { encode = makeBody }: PageFormat,
  content: Parameters<typeof makeBody>[0],
  etag: string,
  held: readonly (Page | undefined)[],
) {
  const same = held.find((page) => page?.body.etag === etag);
  return same ? same.body : encode(content, etag);
}

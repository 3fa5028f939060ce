/**
 * A query for one page of a list, or for a single item.
 */
import type { ResourceName } from './resource.ts';

/** A form of page other than Sendgate's own: Constant Contact v2's, for programs written for it. */
export type PageForm = 'v2';

/** The campaign of resources that belong to none. No id of a campaign looks like it. */
export const noCampaign = '-';

/** Fields shared by all pages of a walk. */
export interface Walk {
  readonly resource: ResourceName;
  /** The id in the request, or `noCampaign`. */
  readonly campaign: string;
  /** Only rows on or after this instant. Canonical: UTC with milliseconds. */
  readonly since?: string | undefined;
  /** Value of the list's filter. */
  readonly filter?: string | undefined;
  readonly form?: PageForm | undefined;
}

/** The first page of a walk, or a single item. */
export interface FirstPage extends Walk {
  readonly kind: 'first';
  /** Rows a page, 1–500. */
  readonly limit: number;
}

/** Returns the query of a single item. */
export const itemQuery = (resource: ResourceName, campaign: string): FirstPage => ({
  ...{ kind: 'first', resource, campaign, limit: 1 },
});

/** A later page of a walk. Its cursor includes the limit. */
export interface NextPage extends Walk {
  readonly kind: 'next';
  readonly cursor: string;
}

/** A first or later page; only the parser decides which. */
export type PageQuery = FirstPage | NextPage;

/** Returns the query of the page behind a cursor, in the same walk. */
export function pageBehind({ resource, campaign, since, filter, form }: Walk, cursor: string): NextPage {
  return { kind: 'next', resource, campaign, since, filter, form, cursor };
}

/**
 * The seam for resources that are made from cached answers of Constant Contact, because it serves them in another shape.
 */
import type { PageQuery } from '../model/page-query.ts';
import type { Item, ParsedPage, ResourceName } from '../model/resource.ts';
import type { Sources } from './keys.ts';
import type { Lookup } from './page-source.ts';

/** A cached answer. */
export interface SourcePage extends Lookup {
  readonly rows: readonly Item[];
}

/** Access to cached answers while a resource is made. */
export interface SourcePages {
  /** Looks an answer up, charged to all callers of the resource. @throws as a lookup */
  get(query: PageQuery): Promise<SourcePage>;
  /**
   * The same for an answer without which the resource is incomplete, but of use: undefined if the lookup fails and there is no
   * older version of the resource to serve.
   */
  tryGet(query: PageQuery): Promise<SourcePage | undefined>;
  /** When a page was fetched: wall time in milliseconds, in whole seconds. */
  fetchedAtMs(page: SourcePage): number;
  /** Until when the resource is fresh if it is made from this page: monotonic. @param dateMs that its freshness depends on */
  freshUntil(page: SourcePage, dateMs: number | undefined): number;
}

export interface Made {
  readonly content: ParsedPage;
  /** The answers that it was made from: it is as old as the oldest, and as fresh as the first to go stale. */
  readonly from: readonly Lookup[];
  /** Monotonic; overrides the freshness of the answers. */
  readonly freshUntil?: number;
  /** Whether an answer was missing: it is tried again soon. */
  readonly isIncomplete?: boolean;
}

/** How one resource is made. */
export interface Recipe {
  /** The answer whose walk and generation the resource shares. */
  readonly source: ResourceName;
  /** @throws as a lookup of the answers */
  make(query: PageQuery, pages: SourcePages): Promise<Made>;
}

/**
 * Returns the date in milliseconds that the freshness of an answer depends on, where it has none itself.
 *
 * @param rows of the answer
 */
export type DateOf = (
  query: PageQuery,
  rows: readonly Item[],
  pages: Pick<SourcePages, 'tryGet'>,
) => Promise<number | undefined>;

export type Recipes = Readonly<Partial<Record<ResourceName, Recipe>>>;

export const sourcesOf = (recipes: Recipes): Sources =>
  Object.fromEntries(Object.entries(recipes).map(([name, { source }]) => [name, source]));

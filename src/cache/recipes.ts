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
  /** Returns a cached answer of any age, without a call. */
  held(query: PageQuery): Promise<SourcePage | undefined>;
  /** When a page was fetched: wall time in milliseconds, in whole seconds. */
  fetchedAtMs(page: SourcePage): number;
  /** Whether a page is as fresh as the resource has to be, and as the caller wants it. @param dateMs as in `Made` */
  isFresh(page: SourcePage, dateMs: number | undefined): boolean;
}

export interface Made {
  readonly content: ParsedPage;
  /** The answer whose age it has. */
  readonly of: Lookup;
  /**
   * Date in milliseconds that its freshness depends on, by the rule of the resource; undefined if there is none. Without this
   * property it is as fresh as `of`.
   */
  readonly dateMs?: number | undefined;
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
  pages: Pick<SourcePages, 'held'>,
) => Promise<number | undefined>;

export type Recipes = Readonly<Partial<Record<ResourceName, Recipe>>>;

export const sourcesOf = (recipes: Recipes): Sources =>
  Object.fromEntries(Object.entries(recipes).map(([name, { source }]) => [name, source]));

import type { PageQuery } from '../model/page-query.ts';

/** Identifies a page within a walk, in memory and in Redis. */
export type PageOfWalk =
  | { readonly kind: 'first'; readonly walk: string; readonly limit: number }
  | { readonly kind: 'next'; readonly walk: string; readonly cursor: string };

export function pageOfWalk(walk: string, query: PageQuery): PageOfWalk {
  if (query.kind === 'first') return { kind: 'first', walk, limit: query.limit };
  return { kind: 'next', walk, cursor: query.cursor };
}

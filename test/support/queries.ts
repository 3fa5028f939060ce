/**
 * Queries of the page cache, as the parser makes them.
 */
import { type FirstPage, type NextPage, pageBehind, type Walk } from '../../src/model/page-query.ts';

type Rest = Partial<Pick<Walk, 'since' | 'form'>>;

export const firstPage = (campaign: string, limit = 500, rest: Rest = {}): FirstPage => ({
  ...{ kind: 'first', resource: 'sends', campaign, limit },
  ...rest,
});

export const nextPage = (campaign: string, cursor: string, rest: Rest = {}): NextPage =>
  pageBehind({ resource: 'sends', campaign, ...rest }, cursor);

/**
 * Builds the links that callers follow: always to Sendgate, never to another host or path.
 */
import { type NextPage, noCampaign } from '../model/page-query.ts';
import type { ListName } from '../model/resource.ts';
import { lists } from '../model/resources.ts';

/** Path and query of a later page, e.g. `/campaigns/1100394165287/sends?next=c3RhcnRBdD0zJmxpbWl0PTI`. */
export function nextLink(basePath: string, query: NextPage): string {
  const { campaign, resource, since, filter, cursor } = query;
  const list = lists[resource as ListName];
  const path = campaign === noCampaign ? '' : `/${encodeURIComponent(campaign)}/${resource}`;
  const instant = since === undefined ? '' : `${list.since}=${since}&`;
  const selected = filter === undefined ? '' : `${list.filter?.name}=${encodeURIComponent(filter)}&`;
  return `${basePath}/campaigns${path}?${instant}${selected}next=${encodeURIComponent(cursor)}`;
}

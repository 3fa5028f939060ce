/**
 * Builds the links that callers follow: always to Sendgate, never to another host or path.
 */
import type { NextPage } from '../model/page-query.ts';

/** Path and query of a later page, e.g. `/campaigns/1100394165287/sends?next=c3RhcnRBdD0zJmxpbWl0PTI`. */
export function nextLink(basePath: string, { report, campaign, createdSince, cursor }: NextPage): string {
  const since = createdSince === undefined ? '' : `created_since=${createdSince}&`;
  return `${basePath}/campaigns/${encodeURIComponent(campaign)}/${report}?${since}next=${encodeURIComponent(cursor)}`;
}

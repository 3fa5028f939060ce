/**
 * Serves Constant Contact v2's own resources to programs written for v2: the same pages in v2's form.
 */
import { z } from 'zod';
import type { CampaignIdRule } from '../../model/campaign-ids.ts';
import { cursorPattern } from '../../model/cursor.ts';
import { parseInstantInUtc } from '../../model/instant.ts';
import type { PageQuery } from '../../model/page-query.ts';
import type { Report } from '../../model/report.ts';
import { allReports } from '../../model/reports.ts';
import { type EndpointParts, PageEndpoint, type PathParameters } from '../page-endpoint.ts';
import { pageParameters } from '../parameters.ts';
import { parsePageQuery, refuseOtherWalk, walkIn } from '../query.ts';
import { dropInPath, received } from './drop-in-links.ts';

/** The endpoints of v2's reports, and of the clicks on one link. */
export function dropInEndpoints(parts: EndpointParts): readonly PageEndpoint[] {
  return allReports.flatMap((report) => {
    const path = dropInPath(report, ':id');
    const routes = report.filter ? [path, `${path}/:linkId`] : [path];
    const parse = (path: PathParameters, search: string, ids: CampaignIdRule) =>
      parseDropInQuery(report, path, search, ids);
    return routes.map((route) => new PageEndpoint(parts, { report: report.name, route, parse }));
  });
}

/**
 * Parameters as v2 programs send them: an instant without a zone is UTC (Python's `isoformat()`), and a cursor may be wrapped,
 * which can make it longer than the limit.
 */
function parametersOf(report: Report): ReturnType<typeof pageParameters> {
  const { created_since, next, ...others } = pageParameters(report);
  const instant = z.string().refine((text) => parseInstantInUtc(text) !== undefined);
  const cursor = z.string().refine((text) => cursorPattern.test(text) || received(text) !== undefined);
  return {
    ...others,
    ...(created_since && { created_since: { ...created_since, schema: instant } }),
    ...(next && { next: { ...next, schema: cursor } }),
  };
}

/**
 * Parses the query of a v2 program. Passes a malformed wrapped cursor on for Constant Contact to refuse.
 *
 * @throws Problem as `parsePageQuery`
 */
export function parseDropInQuery(
  report: Report,
  { id, linkId }: PathParameters,
  search: string,
  ids: CampaignIdRule,
): PageQuery {
  const { link_id, ...parameters } = parametersOf(report);
  const isOfLink = linkId !== undefined && link_id !== undefined;
  const query = isOfLink
    ? parsePageQuery(report, id, `link_id=${encodeURIComponent(linkId)}&${search}`, ids, { ...parameters, link_id })
    : parsePageQuery(report, id, search, ids, parameters);
  const wrapped = query.kind === 'next' ? received(query.cursor) : undefined;
  if (wrapped) refuseOtherWalk(report, query, { ...walkIn(report, wrapped.cursor), ...wrapped });
  return { ...query, ...wrapped, form: 'v2' };
}

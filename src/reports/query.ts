/**
 * Parses requests into canonical queries: two spellings of one query share one cache entry.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { parseInstantInUtc } from '../model/instant.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Report } from '../model/report.ts';
import { exportParameters, maxLimit, pageParameters, summaryParameters } from './parameters.ts';
import { parseQueryString } from './query-string.ts';

/**
 * Parses the query of a page. Only this function decides between first and later page: `next` makes it a later page.
 *
 * @param search the raw query string without its `?`
 * @throws Problem `invalid-request`
 */
export function parsePageQuery(
  report: Report,
  id: string,
  search: string,
  ids: CampaignIdRule,
  parameters: typeof pageParameters = pageParameters,
): PageQuery {
  const { campaign, values } = parseQueryString(id, search, ids, parameters);
  const walk = { report: report.name, campaign, createdSince: canonical(values.created_since) };
  if (values.next !== undefined) return pageBehind(walk, values.next);
  return { kind: 'first', ...walk, limit: values.limit ?? maxLimit };
}

/**
 * Parses the first page of an export.
 *
 * @throws Problem `invalid-request`
 */
export function parseExportQuery(report: Report, id: string, search: string, ids: CampaignIdRule): FirstPage {
  const { campaign, values } = parseQueryString(id, search, ids, exportParameters);
  const createdSince = canonical(values.created_since);
  return { kind: 'first', report: report.name, campaign, createdSince, limit: maxLimit };
}

/**
 * Parses the campaign of a resource without parameters.
 *
 * @throws Problem `invalid-request`
 */
export function parseCampaign(id: string, search: string, ids: CampaignIdRule): string {
  return parseQueryString(id, search, ids, summaryParameters).campaign;
}

/** Canonical form of an instant that passed its schema. Only v2's form admits one without a zone, as UTC. */
const canonical = (instant: string | undefined) => (instant === undefined ? undefined : parseInstantInUtc(instant));

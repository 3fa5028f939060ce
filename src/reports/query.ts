/**
 * Questions of callers, parsed and made canonical: two spellings of one question become one value, and so one cache entry.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { parseInstantInUtc } from '../model/instant.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Report } from '../model/report.ts';
import { exportParameters, maxLimit, pageParameters, summaryParameters } from './parameters.ts';
import { parseQueryString } from './query-string.ts';

/**
 * A first page or a later one, decided here and nowhere else: `next` makes it a later page.
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
 * The page with which an export begins.
 *
 * @throws Problem `invalid-request`
 */
export function parseExportQuery(report: Report, id: string, search: string, ids: CampaignIdRule): FirstPage {
  const { campaign, values } = parseQueryString(id, search, ids, exportParameters);
  const createdSince = canonical(values.created_since);
  return { kind: 'first', report: report.name, campaign, createdSince, limit: maxLimit };
}

/**
 * A campaign, where there are no parameters.
 *
 * @throws Problem `invalid-request`
 */
export function parseCampaign(id: string, search: string, ids: CampaignIdRule): string {
  return parseQueryString(id, search, ids, summaryParameters).campaign;
}

/** The text has passed its schema: a time without a zone gets here only from a resource that takes it for UTC. */
const canonical = (instant: string | undefined) => (instant === undefined ? undefined : parseInstantInUtc(instant));

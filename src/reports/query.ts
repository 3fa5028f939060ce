/**
 * Parses requests into canonical queries: two spellings of one query share one cache entry.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { parametersIn } from '../model/cursor.ts';
import { parseInstantInUtc } from '../model/instant.ts';
import type { List } from '../model/list.ts';
import { type FirstPage, itemQuery, type PageQuery, pageBehind, type Walk } from '../model/page-query.ts';
import type { DetailName } from '../model/resource.ts';
import { Problem } from '../problems.ts';
import type { ExportName } from './export/formats.ts';
import { exportParameters, pageParameters } from './parameters.ts';
import { parseQueryString } from './query-string.ts';

/**
 * Parses the query of a page. Only this function decides between first and later page: `next` makes it a later page.
 *
 * @param id of the campaign, as in the path; undefined for a list of the account
 * @param search the raw query string without its `?`
 * @throws Problem `invalid-request`, or `invalid-cursor` as `refuseOtherWalk`
 */
export function parsePageQuery(
  list: List,
  id: string | undefined,
  search: string,
  ids: CampaignIdRule,
  parameters = pageParameters(list),
): PageQuery {
  const { campaign, values } = parseQueryString(id, search, ids, parameters);
  const walk = walkOf(list, campaign, values);
  if (values.next === undefined) return { kind: 'first', ...walk, limit: values.limit ?? list.maxLimit };
  refuseOtherWalk(list, walk, walkIn(list, values.next));
  return pageBehind(walk, values.next);
}

type Selection = Pick<Walk, 'since' | 'filter'>;

/** What a cursor says of its walk, where that can be read. */
export function walkIn(list: List, cursor: string): Selection {
  const said = parametersIn(cursor);
  const since = said.get(list.since);
  // v3 has another name for the link.
  const filter = list.filter && said.get(list.filter.name === 'link_id' ? 'url_id' : list.filter.name);
  return { since: since === null ? undefined : parseInstantInUtc(since), filter: filter ?? undefined };
}

/** @throws Problem `invalid-cursor` if a parameter beside a cursor is not that of the cursor's walk */
export function refuseOtherWalk(list: List, asked: Selection, there: Selection): void {
  const differs = (name: keyof Selection) =>
    asked[name] !== undefined && there[name] !== undefined && asked[name] !== there[name];
  const name = differs('since') ? list.since : differs('filter') ? list.filter?.name : undefined;
  if (name === undefined) return;
  const detail = `\`next\` continues a walk with another \`${name}\`. Omit \`${name}\`, or start again without \`next\`.`;
  throw new Problem('invalid-cursor', { reason: 'another-walk', detail });
}

/** An export: the first page to fetch, and whether the file begins with a byte order mark. */
export interface ExportQuery {
  readonly first: FirstPage;
  readonly bom: boolean;
}

/**
 * Parses the query of an export.
 *
 * @param limit rows a page
 * @throws Problem `invalid-request`
 */
export function parseExportQuery(
  list: List,
  format: ExportName,
  id: string | undefined,
  search: string,
  ids: CampaignIdRule,
  limit = list.maxLimit,
): ExportQuery {
  const { campaign, values } = parseQueryString(id, search, ids, exportParameters(list, format));
  return { first: { kind: 'first', ...walkOf(list, campaign, values), limit }, bom: values.bom !== undefined };
}

/** Parses the query of a resource without parameters. @throws Problem `invalid-request` */
export function parseDetailQuery(resource: DetailName, id: string, search: string, ids: CampaignIdRule): FirstPage {
  const { campaign } = parseQueryString(id, search, ids, {});
  return itemQuery(resource, campaign);
}

interface Selected {
  readonly created_since?: string;
  readonly modified_since?: string;
  readonly link_id?: string;
  readonly status?: string;
}

const walkOf = ({ name, since, filter }: List, campaign: string, values: Selected): Walk => ({
  resource: name,
  campaign,
  since: canonical(values[since]),
  filter: filter && values[filter.name],
});

/** Canonical form of an instant that passed its schema. Only v2's form admits one without a zone, as UTC. */
const canonical = (instant: string | undefined) => (instant === undefined ? undefined : parseInstantInUtc(instant));

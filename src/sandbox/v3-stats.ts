/**
 * The sandbox's v3: statistics of activities, and their links.
 */
import type { SandboxAnswer } from './answer.ts';
import { type BounceCode, bounceKinds } from './bounces.ts';
import type { Campaign } from './campaign.ts';
import { uniqueCounts, written } from './counts.ts';
import { urlIdOf } from './links.ts';
import type { Rows } from './rows.ts';
import { activityIdOf, campaignIdOf, v3Errors } from './v3.ts';
import { deviceCounts } from './v3-rows.ts';

/** Most activities per request for statistics (vendor's documentation). */
const maxStats = 10;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const defaultRefreshMs = Date.parse('2026-01-01T00:00:00Z');

const notFound = v3Errors.error(404, 'resource.not_found', 'The campaign activity was not found.');

/**
 * `GET /v3/reports/stats/email_campaign_activities/{ids}`. Ids without statistics (yet) are listed under the errors; one
 * malformed id fails the whole request.
 */
export function v3Stats(find: (activityId: string) => Campaign | undefined, list: string): SandboxAnswer {
  const ids = list.split(',');
  if (ids.length > maxStats || !ids.every((id) => uuid.test(id))) return notFound;
  const results = [];
  const errors = [];
  for (const id of ids) {
    const campaign = find(id);
    if (campaign?.details.status === 'DONE') results.push(statsOf(campaign, id));
    else errors.push({ error_key: 'reports.activity.not_found', error_message: `There is no ${id}.` });
  }
  return { status: 200, body: JSON.stringify({ results, errors }) };
}

/** Opens and clicks are those of contacts; `_all` are rows. */
function statsOf(campaign: Campaign, activityId: string) {
  const { id, resendOf = id, dottedStats = false, lastRefreshMs = defaultRefreshMs } = campaign.options;
  const counts = Object.entries({ ...uniqueCounts(campaign), ...partsOf(campaign) }).map(([name, count]) => {
    // Names of parts have dots in the vendor's guide, and underscores in its OpenAPI.
    const isPart = /^(opens|clicks|bounces)_/.test(name);
    return [`em_${isPart && dottedStats ? name.replaceAll('_', '.') : name}`, written(campaign, count)];
  });
  return {
    campaign_activity_id: activityId,
    campaign_id: campaignIdOf(resendOf),
    stats: Object.fromEntries(counts),
    last_refresh_time: new Date(lastRefreshMs).toISOString().replace('.000Z', 'Z'),
  };
}

function partsOf(campaign: Campaign): Readonly<Record<string, number>> {
  const opens = campaign.report('opens').size;
  const clicks = campaign.report('clicks').size;
  const bounces = Object.entries(bounceKinds).map(([code, { stat }]) => [
    `bounces_${stat}`,
    campaign.bounceCount(code as BounceCode),
  ]);
  return {
    opens_all: opens,
    ...deviceCounts('opens_all_', opens),
    clicks_all: clicks,
    ...deviceCounts('clicks_all_', clicks),
    ...Object.fromEntries(bounces),
  };
}

/**
 * `GET /v3/reports/email_reports/{campaign_activity_id}/links`. Those that nobody clicked only with `no_clicks=true`.
 *
 * @param isEmpty whether the activity has not been sent
 */
export function v3Links(
  activity: Campaign | undefined,
  activityId: string,
  query: URLSearchParams,
  isEmpty: boolean,
): SandboxAnswer {
  if (!activity && !isEmpty) return notFound;
  if (![...query.keys()].every((name) => name === 'no_clicks'))
    return v3Errors.error(400, 'query.param.invalid', 'A query parameter is not valid.');
  const all = activity && !isEmpty ? activity.urls.map((url, link) => linkOf(activity, url, link)) : [];
  const clicked =
    query.get('no_clicks') === 'true' ? all : all.filter(({ unique_clicks }) => Number(unique_clicks) > 0);
  return { status: 200, body: JSON.stringify({ campaign_activity_id: activityId, link_click_counts: clicked }) };
}

function linkOf(activity: Campaign, link_url: string, link: number) {
  const { id } = activity.options;
  return {
    link_url,
    url_id: urlIdOf(id, link),
    // Clicking the first one puts contacts on a list.
    ...(link === 0 ? { list_id: activityIdOf(`${id} list`), list_action: 'add' } : {}),
    unique_clicks: written(activity, contactsIn(activity.clicksOn(link))),
  };
}

function contactsIn(rows: Rows): number {
  const contacts = new Set<string>();
  for (let index = 0; index < rows.size; index++) contacts.add(rows.at(index).contactId);
  return contacts.size;
}

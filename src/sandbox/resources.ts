/**
 * Routes the resources of both versions.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Directory } from './directory.ts';
import { forbidden } from './error-shapes.ts';
import { v2Campaigns, v2Errors, v2Sends, v2Summary } from './v2.ts';
import { v3Denied, v3Privileges, v3Sends, v3Xrefs } from './v3.ts';
import { hasGoneOut, hasReports, v3Activity, v3Campaign, v3Stats } from './v3-emails.ts';

const v2Path = /^\/v2\/emailmarketing\/campaigns\/(\d+)\/tracking\/(sends|reports\/summary)$/;
const v3Path =
  /^\/v3\/(?:reports\/(?:email_reports|stats\/email_campaign_activities)|emails\/activities)\/([0-9a-f-]{36})(\/tracking\/sends)?$/;
const v3StatsPath = /^\/v3\/reports\/stats\/email_campaign_activities\/([^/]+)$/;
const v3CampaignPath = /^\/v3\/emails\/([0-9a-f-]{36})$/;

/** State that responses depend on. */
export interface World {
  readonly directory: Directory;
  /** v3's privileges of the user who authorized Sendgate. */
  readonly privileges: readonly string[];
  /** How v3's tracking reports respond to a well-formed but unused id. */
  readonly unknownActivities: 'not-found' | 'empty';
}

/** Returns the v2 id of the campaign in a path. */
export function campaignOfPath({ directory }: World, pathname: string): string | undefined {
  const uuid = (v3Path.exec(pathname) ?? v3CampaignPath.exec(pathname))?.[1];
  return uuid === undefined ? v2Path.exec(pathname)?.[1] : directory.v2IdOf(uuid);
}

export function resourceAt(world: World, url: URL): SandboxAnswer {
  return url.pathname.startsWith('/v3/') ? v3Resource(world, url) : v2Resource(world, url);
}

function v2Resource({ directory }: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  const [, id = '', resource] = v2Path.exec(pathname) ?? [];
  if (resource === 'sends') return v2Sends(directory.all.get(id), url);
  if (resource !== undefined) return v2Summary(directory.all.get(id), searchParams);
  if (pathname === '/v2/emailmarketing/campaigns') return v2Campaigns([...directory.all.values()], searchParams);
  return v2Errors.error(404, 'http.status.not_found', 'No such resource.');
}

function v3Resource(world: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  const { directory, privileges } = world;
  if (pathname === '/v3/account/user/privileges') return v3Privileges(privileges);
  if (pathname === '/v3/emails/campaign_id_xrefs') return v3Xrefs(directory.all, searchParams);
  if (pathname.startsWith('/v3/reports/') && !privileges.includes('ui:campaign:metrics')) return v3Denied;
  const [, statsIds] = v3StatsPath.exec(pathname) ?? [];
  if (statsIds !== undefined) return v3Stats((id) => directory.activity(id), statsIds);
  const [, campaignId] = v3CampaignPath.exec(pathname) ?? [];
  if (campaignId !== undefined) return v3Campaign(directory.all, campaignId);
  const [, activityId, report] = v3Path.exec(pathname) ?? [];
  if (activityId === undefined) return forbidden;
  return report === undefined
    ? v3Activity(directory.activity(activityId), activityId)
    : v3Report(world, activityId, url);
}

function v3Report({ directory, unknownActivities }: World, activityId: string, url: URL): SandboxAnswer {
  const activity = directory.activity(activityId);
  const reported = activity && hasReports(activity) ? activity : undefined;
  const isEmpty = reported ? !hasGoneOut(reported) : unknownActivities === 'empty';
  return isEmpty ? emptyReport : v3Sends(reported, url);
}

const emptyReport: SandboxAnswer = { status: 200, body: JSON.stringify({ tracking_activities: [] }) };

/**
 * Routes the resources of both versions.
 */
import type { SandboxAnswer } from './answer.ts';
import { type TrackingReport, trackingReports } from './campaign-options.ts';
import type { Directory } from './directory.ts';
import { forbidden } from './error-shapes.ts';
import { v2Campaigns, v2Errors, v2Report, v2Summary } from './v2.ts';
import { v3Denied, v3Privileges, v3Xrefs } from './v3.ts';
import { hasGoneOut, hasReports, v3Activity, v3Campaign, v3Stats } from './v3-emails.ts';
import { v3Report } from './v3-reports.ts';
import { isV3Report } from './v3-rows.ts';

const v2Path = new RegExp(
  `^/v2/emailmarketing/campaigns/(\\d+)/tracking/(?:(${trackingReports.join('|')})|clicks/(\\d+)|reports/(summary))$`,
);
const uuid = '([0-9a-f-]{36})';
const v3ReportPath = new RegExp(`^/v3/reports/email_reports/${uuid}/tracking/(\\w+)$`);
const v3StatsPath = /^\/v3\/reports\/stats\/email_campaign_activities\/([^/]+)$/;
const v3ActivityPath = new RegExp(`^/v3/emails/activities/${uuid}$`);
const v3CampaignPath = new RegExp(`^/v3/emails/${uuid}$`);
/** Paths with one id, of a campaign or an activity. */
const v3Paths = [v3ReportPath, v3StatsPath, v3ActivityPath, v3CampaignPath];

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
  const v2Id = v2Path.exec(pathname)?.[1];
  const id = v3Paths.map((path) => path.exec(pathname)?.[1]).find((found) => found !== undefined);
  return v2Id ?? (id === undefined ? undefined : directory.v2IdOf(id));
}

export function resourceAt(world: World, url: URL): SandboxAnswer {
  return url.pathname.startsWith('/v3/') ? v3Resource(world, url) : v2Resource(world, url);
}

function v2Resource({ directory }: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  const [, id = '', report, link, summary] = v2Path.exec(pathname) ?? [];
  if (report !== undefined) return v2Report(directory.all.get(id), report as TrackingReport, undefined, url);
  if (link !== undefined) return v2Report(directory.all.get(id), 'clicks', link, url);
  if (summary !== undefined) return v2Summary(directory.all.get(id), searchParams);
  if (pathname === '/v2/emailmarketing/campaigns') return v2Campaigns([...directory.all.values()], searchParams);
  return v2Errors.error(404, 'http.status.not_found', 'No such resource.');
}

function v3Resource(world: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  const { directory, privileges } = world;
  if (pathname === '/v3/account/user/privileges') return v3Privileges(privileges);
  if (pathname === '/v3/emails/campaign_id_xrefs') return v3Xrefs(directory.all, searchParams);
  if (pathname.startsWith('/v3/reports/'))
    return privileges.includes('ui:campaign:metrics') ? v3Metrics(world, url) : v3Denied;
  const [, campaignId] = v3CampaignPath.exec(pathname) ?? [];
  if (campaignId !== undefined) return v3Campaign(directory.all, campaignId);
  const [, activityId] = v3ActivityPath.exec(pathname) ?? [];
  return activityId === undefined ? forbidden : v3Activity(directory.activity(activityId), activityId);
}

/** What needs the privilege to read reports. */
function v3Metrics({ directory, unknownActivities }: World, url: URL): SandboxAnswer {
  const [, statsIds] = v3StatsPath.exec(url.pathname) ?? [];
  if (statsIds !== undefined) return v3Stats((id) => directory.activity(id), statsIds);
  const [, activityId = '', report = ''] = v3ReportPath.exec(url.pathname) ?? [];
  if (!isV3Report(report)) return forbidden;
  const activity = directory.activity(activityId);
  const reported = activity && hasReports(activity) ? activity : undefined;
  const isEmpty = reported ? !hasGoneOut(reported) : unknownActivities === 'empty';
  return v3Report(reported, report, url, isEmpty);
}

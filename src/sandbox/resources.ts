/**
 * Routes the resources of both versions.
 */
import type { SandboxAnswer } from './answer.ts';
import { type TrackingReport, trackingReports } from './campaign-options.ts';
import type { Directory } from './directory.ts';
import { forbidden } from './error-shapes.ts';
import { v2Errors, v2Report } from './v2.ts';
import { v2Campaign, v2Campaigns, v2Summary } from './v2-campaigns.ts';
import { v3Denied, v3Privileges, v3Xrefs } from './v3.ts';
import { hasGoneOut, hasReports, v3Activity, v3Campaign } from './v3-emails.ts';
import { v3Emails, v3Summaries } from './v3-lists.ts';
import { v3Report } from './v3-reports.ts';
import { isV3Report } from './v3-rows.ts';
import { v3Links, v3Stats } from './v3-stats.ts';

const v2List = '/v2/emailmarketing/campaigns';
const v2Path = new RegExp(
  `^${v2List}/(\\d+)(?:/tracking/(?:(${trackingReports.join('|')})|clicks/(\\d+)|reports/(summary)))?$`,
);
const uuid = '([0-9a-f-]{36})';
const v3ReportPath = new RegExp(`^/v3/reports/email_reports/${uuid}/(links|tracking/(\\w+))$`);
const v3SummariesPath = '/v3/reports/summary_reports/email_campaign_summaries';
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
  if (pathname === v2List) return v2Campaigns([...directory.all.values()], searchParams);
  const [, id, report, link, summary] = v2Path.exec(pathname) ?? [];
  if (id === undefined) return v2Errors.error(404, 'http.status.not_found', 'No such resource.');
  const campaign = directory.all.get(id);
  if (report !== undefined) return v2Report(campaign, report as TrackingReport, undefined, url);
  if (link !== undefined) return v2Report(campaign, 'clicks', link, url);
  return summary === undefined ? v2Campaign(campaign, searchParams) : v2Summary(campaign, searchParams);
}

function v3Resource(world: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  const { directory, privileges } = world;
  if (pathname.startsWith('/v3/reports/'))
    return privileges.includes('ui:campaign:metrics') ? v3Metrics(world, url) : v3Denied;
  if (pathname === '/v3/account/user/privileges') return v3Privileges(privileges);
  if (pathname === '/v3/emails/campaign_id_xrefs') return v3Xrefs(directory.all, searchParams);
  if (pathname === '/v3/emails') return v3Emails([...directory.all.values()], url);
  const [, campaignId] = v3CampaignPath.exec(pathname) ?? [];
  if (campaignId !== undefined) return v3Campaign(directory.all, campaignId);
  const [, activityId] = v3ActivityPath.exec(pathname) ?? [];
  return activityId === undefined ? forbidden : v3Activity(directory.activity(activityId), activityId);
}

/** What needs the privilege to read reports. */
function v3Metrics({ directory, unknownActivities }: World, url: URL): SandboxAnswer {
  const { pathname, searchParams } = url;
  if (pathname === v3SummariesPath) return v3Summaries([...directory.all.values()], url);
  const [, statsIds] = v3StatsPath.exec(pathname) ?? [];
  if (statsIds !== undefined) return v3Stats((id) => directory.activity(id), statsIds);
  const [, activityId = '', kind, report = ''] = v3ReportPath.exec(pathname) ?? [];
  const activity = directory.activity(activityId);
  const reported = activity && hasReports(activity) ? activity : undefined;
  const isEmpty = reported ? !hasGoneOut(reported) : unknownActivities === 'empty';
  if (kind === 'links') return v3Links(reported, activityId, searchParams, isEmpty);
  return isV3Report(report) ? v3Report(reported, report, url, isEmpty) : forbidden;
}

/**
 * All reports by name. A report listed here gets its route, exports, description and drop-in resource.
 */
import { bouncesReport } from './bounces.ts';
import { clicksReport } from './clicks.ts';
import { forwardsReport } from './forwards.ts';
import { opensReport } from './opens.ts';
import type { Report } from './report.ts';
import type { ReportName } from './resource.ts';
import { sendsReport } from './sends.ts';
import { unsubscribesReport } from './unsubscribes.ts';

export const reports: Readonly<Record<ReportName, Report>> = {
  sends: sendsReport,
  opens: opensReport,
  clicks: clicksReport,
  bounces: bouncesReport,
  forwards: forwardsReport,
  unsubscribes: unsubscribesReport,
};

export const allReports: readonly Report[] = Object.values(reports);

/**
 * All reports by name. A report listed here gets its route, exports, description and drop-in resource.
 */
import type { Report, ReportName } from './report.ts';
import { sendsReport } from './sends.ts';

export const reports: Readonly<Record<ReportName, Report>> = { sends: sendsReport };

export const allReports: readonly Report[] = Object.values(reports);

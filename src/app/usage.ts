/**
 * Usage by team as JSON and CSV.
 */
import Papa from 'papaparse';
import type { DayUsage, ReportUsage } from '../observability/stored-usage.ts';
import { withoutFormulas } from '../reports/export/formats.ts';

const fields = [
  ...['day', 'team', 'report', 'calls', 'answered', 'hits', 'refused', 'failed'],
  ...['team_calls', 'team_part', 'team_cap'],
] as const;

const noRequests: ReportUsage = { report: '', calls: 0, answered: 0, hits: 0, refused: 0, failed: 0 };

/** A row for each day, team and report; a team without a request or a call has one with an empty report. */
export function usageCsv(days: readonly DayUsage[]): string {
  const rows = days.flatMap(({ day, teams }) =>
    teams.flatMap(({ team, calls: teamCalls, part, cap, reports }) =>
      (reports.length > 0 ? reports : [noRequests]).map(({ report, calls, answered, hits, refused, failed }) =>
        [day, team, report, calls, answered, hits, refused, failed, teamCalls, part, cap ?? ''].map((value) =>
          withoutFormulas(String(value)),
        ),
      ),
    ),
  );
  return `${Papa.unparse({ fields: [...fields], data: rows })}\r\n`;
}

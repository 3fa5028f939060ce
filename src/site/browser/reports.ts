/**
 * The tabs of a campaign: its reports and its links.
 */
import { type ReportName, type Rows, reportNames } from '../../client/client.ts';

export type ReportRow = Rows[ReportName];
export type { ReportName };
export type Tab = ReportName | 'links';

export const tabs: readonly Tab[] = [...reportNames, 'links'];
export const titleOf = (tab: Tab) => `${tab.charAt(0).toUpperCase()}${tab.slice(1)}`;
export const isTab = (name: string): name is Tab => (tabs as readonly string[]).includes(name);

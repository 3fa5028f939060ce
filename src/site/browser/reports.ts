/**
 * The tabs of a campaign: its reports and its links.
 */
import type { ReportName, Rows } from '../../client/client.ts';

export type ReportRow = Rows[ReportName];

const titles = {
  sends: 'Sends',
  opens: 'Opens',
  clicks: 'Clicks',
  bounces: 'Bounces',
  forwards: 'Forwards',
  unsubscribes: 'Unsubscribes',
} as const satisfies Readonly<Record<ReportName, string>>;

export type { ReportName };
export type Tab = ReportName | 'links';

export const titleOf: Readonly<Record<Tab, string>> = { ...titles, links: 'Links' };
export const tabs = Object.keys(titleOf) as readonly Tab[];
export const isTab = (name: string): name is Tab => (tabs as readonly string[]).includes(name);

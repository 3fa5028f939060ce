/**
 * Dashboards that show all reports of an account that sends a newsletter a week: what they ask for, what Constant Contact has at
 * a moment, how late it is shown, and what a TTL cache calls for the same.
 */
import { noCounts } from '../src/model/campaign.ts';
import { noCampaign, type PageQuery } from '../src/model/page-query.ts';
import { allReports, reports } from '../src/model/reports.ts';
import { type ParsedPage, type ReportName, reportOf, type ServedName } from '../src/model/resource.ts';
import type { V2Details } from '../src/model/sources.ts';
import { Campaign } from '../src/sandbox/campaign.ts';
import { indexAt } from '../src/sandbox/rows.ts';

const [minuteMs, hourMs, weekMs] = [60_000, 3_600_000, 7 * 86_400_000];
const newsletters = 40;
/** The one that goes out today. */
const today = 'newsletter-0';

/**
 * When dashboards are open, how often they ask, how far apart their requests are, and until when what arrives counts: it has an
 * hour to be shown.
 */
export const opening = {
  from: 8 * hourMs,
  until: 18 * hourMs,
  everyMs: 5 * minuteMs,
  apartMs: 400,
  countsUntil: 17 * hourMs,
};

/** What is shown, as metrics name it: `campaign` has the counts, and the directory is asked for as a whole. */
const shown: readonly ServedName[] = [...allReports.map(({ name }) => name), 'campaign', 'campaigns'];

/** How late something was shown, in seconds. */
interface Lateness {
  readonly ofToday: number[];
  readonly ofOlder: number[];
}

/** One cache over a day. */
export class Showing {
  readonly calls = new Map<ServedName, number>();
  readonly late = new Map<ServedName, Lateness>(shown.map((name) => [name, { ofToday: [], ofOlder: [] }]));
  /** Times at which something arrived that has not been shown, by page. */
  readonly #pending = new Map<string, number[]>();
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  called({ resource }: PageQuery): void {
    const name = reportOf(resource);
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
  }

  /** @param fetchedAt when the page was asked for that is shown now */
  show(query: PageQuery, fetchedAt: number, now: number): void {
    const key = `${query.resource} ${query.campaign}`;
    const pending = this.#pending.get(key) ?? this.#account.arrivals(query);
    this.#pending.set(key, pending);
    const late = this.late.get(reportOf(query.resource));
    const isToday = query.campaign === today || query.campaign === noCampaign;
    while ((pending[0] ?? Number.POSITIVE_INFINITY) <= fetchedAt) {
      late?.[isToday ? 'ofToday' : 'ofOlder'].push((now - (pending.shift() ?? now)) / 1000);
    }
  }
}

export class Account {
  readonly #midnight: number;
  readonly #campaigns = new Map<string, Campaign>();

  constructor(midnight: number) {
    this.#midnight = midnight;
    for (let n = 0; n < newsletters; n++) {
      const newestMs = midnight + 9.5 * hourMs - n * weekMs;
      // All rows to come are there; those of the future are not shown.
      this.#campaigns.set(`newsletter-${n}`, new Campaign({ id: String(n), size: 12_000, newestMs, spacingMs: 100 }));
    }
  }

  has({ campaign }: PageQuery): boolean {
    return campaign === noCampaign || this.#campaigns.has(campaign);
  }

  /** What one team's dashboard asks for: a quarter of the newsletters, today's, and the directory. */
  questions(team: number): PageQuery[] {
    const ids = [...this.#campaigns.keys()].filter((id, n) => n % 4 === team || id === today);
    const first = (resource: PageQuery['resource'], campaign: string): PageQuery => ({
      ...{ kind: 'first', resource, campaign, limit: resource === 'campaigns' ? 50 : 500 },
    });
    const ofCampaign = [...allReports.map(({ name }) => name), 'v2-details'] as const;
    return [first('campaigns', noCampaign), ...ids.flatMap((id) => ofCampaign.map((name) => first(name, id)))];
  }

  page({ resource, campaign }: PageQuery, now: number): ParsedPage {
    if (resource === 'campaigns') return { rows: this.#directory(now), cursor: undefined };
    const newsletter = this.#campaigns.get(campaign) as Campaign;
    if (resource === 'v2-details') return { rows: [details(newsletter, now)], cursor: undefined };
    return { rows: rowsOf(newsletter, resource as ReportName, now), cursor: undefined };
  }

  /** When that arrives which this page shows, of what arrives while dashboards are open. */
  arrivals({ resource, campaign }: PageQuery): number[] {
    const newsletter = this.#campaigns.get(campaign);
    if (!newsletter) return this.#within([[...this.#campaigns.values()].map(sentAt)]);
    const names = resource === 'v2-details' ? allReports.map(({ name }) => name) : [resource as ReportName];
    return this.#within(names.map((name) => this.#dates(newsletter, name)));
  }

  #dates(newsletter: Campaign, name: ReportName): number[] {
    const rows = newsletter.report(name);
    const [newest, oldest] = [opening.countsUntil, opening.from].map((at) => indexAt(rows, this.#midnight + at));
    return Array.from({ length: (oldest ?? 0) - (newest ?? 0) }, (_, n) => rows.at((newest ?? 0) + n).atMs);
  }

  #within(dates: readonly (readonly number[])[]): number[] {
    const { from, countsUntil } = opening;
    const isIn = (at: number) => at >= this.#midnight + from && at < this.#midnight + countsUntil;
    return dates
      .flat()
      .filter(isIn)
      .sort((a, b) => a - b);
  }

  #directory(now: number) {
    const sent = [...this.#campaigns].filter(([, newsletter]) => sentAt(newsletter) <= now);
    return sent.map(([id, newsletter]) => ({
      ...{ id, name: id, status: 'SENT', modified_date: new Date(sentAt(newsletter)).toISOString(), last_run_date: '' },
    }));
  }
}

const sentAt = ({ options }: Campaign) => options.newestMs;

/** Few rows of a page are enough here. */
function rowsOf(newsletter: Campaign, name: ReportName, now: number) {
  const rows = newsletter.report(name);
  const newest = indexAt(rows, now);
  const { fields, dateField } = reports[name];
  const blank = Object.fromEntries(fields.map((field) => [field, '']));
  return Array.from({ length: Math.min(3, rows.size - newest) }, (_, n) => {
    const { contactId, email, atMs } = rows.at(newest + n);
    return { ...blank, contact_id: contactId, email_address: email, [dateField]: new Date(atMs).toISOString() };
  });
}

function details(newsletter: Campaign, now: number): V2Details {
  const counted = allReports.map(({ name }) => {
    const rows = newsletter.report(name);
    return [name, rows.size - indexAt(rows, now)];
  });
  const [name, date] = [newsletter.options.id, new Date(sentAt(newsletter)).toISOString()];
  const texts = { name, status: 'SENT', modified_date: date, subject: '', from_name: '', from_email: '' };
  const last_run_date = sentAt(newsletter) <= now ? date : '';
  return {
    ...texts,
    last_run_date,
    created_date: date,
    counts: { ...noCounts, ...Object.fromEntries(counted) },
    links: [],
  };
}

/** The questions of a day, in order. */
export type Asked = readonly { readonly at: number; readonly query: PageQuery }[];

/** What a cache with a fixed TTL for each report calls for and shows. */
export function withTtl(account: Account, asked: Asked, ttlMs: (name: ServedName) => number): Showing {
  const showing = new Showing(account);
  const fetched = new Map<string, number>();
  for (const { at, query } of asked) {
    const key = `${query.resource} ${query.campaign}`;
    let fetchedAt = fetched.get(key);
    if (fetchedAt === undefined || at - fetchedAt >= ttlMs(reportOf(query.resource))) {
      fetchedAt = at;
      fetched.set(key, at);
      showing.called(query);
    }
    showing.show(query, fetchedAt, at);
  }
  return showing;
}

/** Worst lateness of today's newsletter, in milliseconds, and at least a minute. */
export function worstMs({ late }: Showing, name: ServedName): number {
  return Math.max(minuteMs, ...(late.get(name)?.ofToday ?? []).map((seconds) => seconds * 1000));
}

/** Rows of a table: Sendgate beside the TTL cache that shows today's newsletter no earlier. */
export function tableOf(own: Showing, ttl: Showing): string[] {
  const minutes = (seconds: readonly number[]) => {
    const sorted = [...seconds].sort((a, b) => a - b);
    if (sorted.length === 0) return '–';
    const at = (part: number) => ((sorted[Math.floor((sorted.length - 1) * part)] ?? 0) / 60).toFixed(1);
    return `${at(1 / 2)} / ${at(1)}`;
  };
  const cells = (showing: Showing, name: ServedName) => {
    const late = showing.late.get(name);
    const calls = (showing.calls.get(name) ?? 0).toLocaleString('en');
    return `${calls} | ${minutes(late?.ofToday ?? [])} | ${minutes(late?.ofOlder ?? [])}`;
  };
  const sum = ({ calls }: Showing) => [...calls.values()].reduce((total, one) => total + one, 0).toLocaleString('en');
  const rows = shown.map((name) => {
    const label = { campaign: 'counts', campaigns: 'directory' }[name as string] ?? name;
    return `| ${label} | ${cells(own, name)} | ${(worstMs(own, name) / minuteMs).toFixed(1)} | ${cells(ttl, name)} |`;
  });
  return [...rows, `| all | ${sum(own)} | | | | ${sum(ttl)} | | |`];
}

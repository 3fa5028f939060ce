/**
 * What a campaign of the sandbox is like. Everything has a default but its id, size and date.
 */
import type { LinkOptions } from './links.ts';
import type { OddKind } from './odd.ts';

/** v2's names. */
export const trackingReports = ['sends', 'opens', 'clicks', 'bounces', 'forwards', 'unsubscribes'] as const;
export type TrackingReport = (typeof trackingReports)[number];

/**
 * Forms of cursors that carry everything: `offset`; `time`, at which to go on; `long`, of 184 characters; and opaque ones
 * with `+`, `/`, `%` and padding, percent-encoded in links, raw (a `+` is a `+`), or form-encoded (a `+` is a space).
 */
export type CursorForm = 'offset' | 'time' | 'long' | 'opaque' | 'opaque-raw' | 'opaque-form';

/** Forms of links to the next page: the path of the call, with a host, another path, or only a query. */
export type LinkForm = 'relative' | 'absolute' | 'other-path' | 'query';

/** The rows of one report. */
export interface ReportOptions {
  /** Rows at the start. Default a fraction of the sends, or for clicks the sum of its links' if all have one. */
  readonly size?: number;
  /** Date of the newest row. Default weeks after the newest send, or now if that is earlier. */
  readonly newestMs?: number;
  /** Milliseconds between two rows. Default: many soon after the newest send, and fewer and fewer. */
  readonly spacingMs?: number;
  /** Opens, clicks: the number of contacts in these rows. Default three quarters of the rows. */
  readonly contacts?: number;
  /** Odd rows. Default the campaign's. */
  readonly odd?: Readonly<Record<number, OddKind>>;
}

/** How pages of the campaign's reports are served. */
interface PageOptions {
  /** Default `offset`. */
  readonly cursors?: CursorForm;
  /** Default `relative`. */
  readonly links?: LinkForm;
  /**
   * Design of v3's links. `next` (default): the limit and a `next` cursor that carries everything. `cursor`: such a cursor
   * alone. `page`: the limit, `next` with a page number that means nothing without it, and the filters.
   */
  readonly design?: 'next' | 'cursor' | 'page';
  /** Extra parameter in v3's links, `name=value`. */
  readonly linkExtra?: string;
  /** Filter in v3's links that must come back with the cursor, `after_date=…`. */
  readonly linkFilter?: string;
  /** What the last page has instead of a link: nothing, null or an empty string, at some depth. */
  readonly lastPage?: 'missing' | 'null' | 'empty' | 'null-link' | 'empty-link';
  /** Whether dates have no zone; they are UTC. */
  readonly zoneless?: boolean;
  /** Whether v2's ids are JSON numbers, as in fixtures of some SDKs. */
  readonly numericIds?: boolean;
  /**
   * Order of the rows. Default newest first, as in the vendor's examples; `nearly` swaps neighbours. Cursors of form `time`
   * allow only the default.
   */
  readonly order?: 'oldest-first' | 'nearly';
  /** Most rows on a page, whatever `limit` says. */
  readonly pageSize?: number;
}

/** v3's status. */
export type CampaignStatus = 'DRAFT' | 'SCHEDULED' | 'EXECUTING' | 'DONE' | 'ERROR' | 'REMOVED';

/** How counts of rows are served. */
interface CountOptions {
  /** Complaints. Default one for 2,048 sends. */
  readonly spam?: number;
  /**
   * v2: the last scheduled update of the counts, which a call without `updateSummary=true` gets. Default the start of the
   * newest send's day.
   */
  readonly countedMs?: number;
  /** v2: what opens and clicks are counted by: contacts, as in the vendor's descriptions (default), or rows. v3 counts contacts. */
  readonly v2Counts?: 'rows' | 'contacts';
  /** v3: `last_refresh_time` of the statistics. Default 2026-01-01. */
  readonly lastRefreshMs?: number;
  /** v3: whether the list of summaries has nothing but the campaign's id. */
  readonly bareSummary?: boolean;
  /** Whether counts are strings. */
  readonly textCounts?: boolean;
  /** Whether names of parts in v3's statistics contain dots (`em_opens.all.mobile`). */
  readonly dottedStats?: boolean;
}

/** What can change while the sandbox runs. */
export interface ChangeableOptions extends PageOptions, CountOptions {
  /**
   * Default `DONE`. Only done campaigns have statistics; in v3 only executing or done ones have reports, whatever their sizes
   * say. v2 does not serve removed ones.
   */
  readonly status?: CampaignStatus;
  /** Default `Campaign <id>`. */
  readonly name?: string;
  /** Default `Subject <id>`. */
  readonly subject?: string;
  readonly fromName?: string;
  readonly fromEmail?: string;
  /** Default three days before the newest send. */
  readonly createdMs?: number;
  /** Default the date of the newest send. */
  readonly modifiedMs?: number;
  /** Default the date of the newest send, if the campaign has gone out. */
  readonly lastRunMs?: number;
  /** Default the date of the newest send, if the campaign is scheduled. */
  readonly nextRunMs?: number;
  /** v3's role of the activity. Default `primary_email`. */
  readonly role?: string;
}

export interface CampaignOptions extends ChangeableOptions {
  readonly id: string;
  /** Sends at the start. */
  readonly size: number;
  /** Date of the newest send, in milliseconds. */
  readonly newestMs: number;
  /** Milliseconds between two sends. Default 1,000. */
  readonly spacingMs?: number;
  /** Odd rows of every report, by index among the initial ones, newest first. */
  readonly odd?: Readonly<Record<number, OddKind>>;
  /** Sends that replace the newest computed ones, newest first. */
  readonly known?: readonly { readonly contactId: string; readonly email: string; readonly at: string }[];
  /** Rows by report; those of the sends override `size`, `newestMs` and so on. */
  readonly reports?: Readonly<Partial<Record<TrackingReport, ReportOptions>>>;
  /** Links in the message. Default four. */
  readonly urls?: readonly LinkOptions[];
  /** v3: makes this another activity of the campaign with this v2 id, instead of a campaign. */
  readonly resendOf?: string;
}

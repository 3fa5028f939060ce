/**
 * A report as far as it has been received, from its newest row on.
 */
import type { ReceivedPage } from '../../client/client.ts';
import { dateOfRow } from './columns.ts';
import type { ReportName, ReportRow } from './reports.ts';
import type { CampaignRoute } from './routes.ts';
import { connect } from './session.ts';
import { Timeline } from './timeline.ts';

export type ReportRoute = CampaignRoute & { readonly tab: ReportName };
export type ReportPage = ReceivedPage<ReportRow>;

/** Rows kept for the table. All are counted. */
const maxRows = 100_000;
/** Recent pages whose rows are known: newer rows push them to the next page. */
const maxRememberedPages = 20;

export class ReportWalk {
  readonly route: ReportRoute;
  readonly rows: ReportRow[] = [];
  readonly timeline = new Timeline();
  /** Rows that have arrived, kept or not. */
  received = 0;
  hasBegun = false;
  #next: string | undefined;
  readonly #recent: Set<string>[] = [];

  constructor(route: ReportRoute) {
    this.route = route;
  }

  get isAll(): boolean {
    return this.hasBegun && this.#next === undefined;
  }

  /** Whether no more rows are kept. */
  get isFull(): boolean {
    return this.rows.length >= maxRows;
  }

  /** The question's parameters, by their names in requests. */
  get query(): Readonly<Record<string, string>> {
    const { since, link } = this.route;
    return { ...(since === '' ? {} : { created_since: since }), ...(link === '' ? {} : { link_id: link }) };
  }

  /** The path of the report, relative to Sendgate's. */
  get path(): string {
    return `campaigns/${encodeURIComponent(this.route.id)}/${this.route.tab}`;
  }

  /** The pages that have not been received. */
  pages(signal: AbortSignal, patienceSeconds: number): AsyncIterable<ReportPage> {
    const { id, tab, since, link } = this.route;
    return connect(patienceSeconds).reportPages(id, tab, {
      ...(since === '' ? {} : { createdSince: since }),
      ...(link === '' ? {} : { linkId: link }),
      ...(this.#next === undefined ? {} : { from: this.#next }),
      signal,
    });
  }

  add(page: ReportPage): void {
    this.hasBegun = true;
    this.#next = page.next;
    const rows = this.#unseen(page.rows);
    this.received += rows.length;
    this.rows.push(...rows.slice(0, maxRows - this.rows.length));
    for (const row of rows) this.timeline.add(dateOfRow(row));
  }

  /** Leaves out rows of recent pages. */
  #unseen(rows: readonly ReportRow[]): readonly ReportRow[] {
    const unseen = rows.filter((row) => !this.#recent.some((page) => page.has(identity(row))));
    this.#recent.push(new Set(unseen.map(identity)));
    if (this.#recent.length > maxRememberedPages) this.#recent.shift();
    return unseen;
  }
}

/** The whole row: without a contact, the other fields distinguish it. */
const identity = (row: ReportRow) => JSON.stringify(row);

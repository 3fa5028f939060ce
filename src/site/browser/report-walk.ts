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

export class ReportWalk {
  readonly route: ReportRoute;
  readonly rows: ReportRow[] = [];
  readonly timeline = new Timeline();
  /** Rows that have arrived, kept or not. */
  received = 0;
  hasBegun = false;
  #next: string | undefined;

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
    this.received += page.rows.length;
    this.#next = page.next;
    this.rows.push(...page.rows.slice(0, maxRows - this.rows.length));
    for (const row of page.rows) this.timeline.add(dateOfRow(row));
  }
}

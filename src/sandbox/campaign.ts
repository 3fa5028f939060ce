/**
 * A campaign of any size. The rows of its reports are computed, not stored, and are the same on every run.
 */
import { type BounceCode, bounceCodeOf, bouncesWith } from './bounces.ts';
import type { CampaignOptions, ChangeableOptions, TrackingReport } from './campaign-options.ts';
import { detailsOf } from './details.ts';
import { type Funnel, funnelOf } from './funnel.ts';
import { countSince, type ReportRows, type Rows } from './rows.ts';

export type { CampaignOptions } from './campaign-options.ts';

export class Campaign {
  #options: CampaignOptions;
  readonly #funnel: Funnel;

  /** @param nowMs no default date of a row is later */
  constructor(options: CampaignOptions, nowMs = Number.POSITIVE_INFINITY) {
    this.#options = options;
    this.#funnel = funnelOf(options, nowMs);
  }

  get options(): CampaignOptions {
    return this.#options;
  }

  /** Number of sends. */
  get size(): number {
    return this.report('sends').size;
  }

  /** Options with their defaults. */
  get details() {
    return detailsOf(this.#options);
  }

  /** Number of contacts in the opens, and in the clicks. */
  get openers(): number {
    return this.#funnel.openers.size;
  }

  get clickers(): number {
    return this.#funnel.clickers.size;
  }

  /** URLs of the links in the message. */
  get urls(): readonly string[] {
    return this.#funnel.links.urls;
  }

  change(options: Partial<ChangeableOptions>): void {
    this.#options = { ...this.#options, ...options };
  }

  report(report: TrackingReport): ReportRows {
    return this.#funnel.reports[report];
  }

  /** Returns the send at `index`, newest first. A send keeps its contact when newer ones arrive. */
  at(index: number) {
    return this.report('sends').at(index);
  }

  /** Adds sends newer than all others, a millisecond apart, the first no earlier than `atMs`. */
  add(count: number, atMs: number): void {
    this.report('sends').add(count, atMs);
  }

  /** Number of sends not older than `sinceMs`. */
  countSince(sinceMs: number): number {
    return countSince(this.report('sends'), sinceMs);
  }

  /** Returns the link, from 0, of the click with this number. */
  linkOf(number: number): number {
    return this.#funnel.links.linkOf(number);
  }

  clicksOn(link: number): Rows {
    const { links, reports } = this.#funnel;
    return reports.clicks.part(links.clicksOn(link), (_, number) => links.linkOf(number) === link);
  }

  bouncesWith(codes: readonly string[]): Rows {
    const { bounces } = this.#funnel.reports;
    return bounces.part(bouncesWith(codes, bounces.initialSize), (_, number) => codes.includes(bounceCodeOf(number)));
  }

  bounceCount(code: BounceCode): number {
    return bouncesWith([code], this.report('bounces').size).size;
  }

  /** The latest open of each contact. */
  get uniqueOpens(): Rows {
    const { latestOpens, reports } = this.#funnel;
    const initial = { size: latestOpens.count, number: (n: number) => latestOpens.place(n) };
    return reports.opens.part(initial, ({ isFirst }) => isFirst);
  }

  /** The sends to contacts who have not opened. */
  get unopened(): Rows {
    const { openers, reports } = this.#funnel;
    const { size, place } = openers.others;
    return { size, at: (index) => reports.sends.at(reports.sends.size - 1 - place(size - 1 - index)) };
  }

  /** Returns the index, newest first, of the row at a position among the newest `total`. */
  indexOf(place: number, total: number): number {
    switch (this.#options.order) {
      case 'oldest-first':
        return total - 1 - place;
      case 'nearly':
        return Math.min(place ^ 1, total - 1);
      default:
        return place;
    }
  }

  /** Formats a date as the API does. */
  dateOf(atMs: number): string {
    const date = new Date(atMs).toISOString();
    return this.#options.zoneless ? date.slice(0, -1) : date;
  }
}

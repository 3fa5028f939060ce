/**
 * What recipients do with a campaign: how much, how long after the sends, and who. Openers are among the recipients, and
 * clickers among the openers; messages bounce from others.
 */
import { Audience } from './audience.ts';
import { type CampaignOptions, type TrackingReport, trackingReports } from './campaign-options.ts';
import { evenDates, fadingDates } from './dates.ts';
import { defaultLinks, Links } from './links.ts';
import { Repeats } from './repeats.ts';
import { type Contact, ReportRows, type RowSource } from './rows.ts';
import { scatter } from './scatter.ts';

export interface Funnel {
  readonly reports: Readonly<Record<TrackingReport, ReportRows>>;
  readonly openers: Audience;
  readonly clickers: Audience;
  /** Opens at the start that are their contact's latest. */
  readonly latestOpens: Repeats['latest'];
  readonly links: Links;
}

const dayMs = 86_400_000;

/** How many rows follow from the sends, as a right shift, and for how many days after the newest one. */
const usual = {
  sends: { shift: 0, days: 0 },
  opens: { shift: 1, days: 28 },
  clicks: { shift: 3, days: 21 },
  bounces: { shift: 5, days: 2 },
  forwards: { shift: 8, days: 14 },
  unsubscribes: { shift: 7, days: 28 },
} as const satisfies Record<TrackingReport, object>;

/** @param nowMs no row is newer, unless the options or the newest send say so */
export function funnelOf(options: CampaignOptions, nowMs: number): Funnel {
  const sizes = sizesOf(options);
  const rows = (report: TrackingReport, who: Pick<RowSource, 'sendOf' | 'next'>) =>
    new ReportRows({
      size: sizes[report],
      dates: datesOf(options, report, sizes[report], nowMs),
      odd: options.reports?.[report]?.odd ?? options.odd ?? {},
      contactOf: contactsOf(options, sizes.sends),
      ...who,
    });

  const sends = rows('sends', { sendOf: (row) => row, next: (row) => ({ send: row, isFirst: true }) });
  const openers = audienceOf(options, 'opens', sizes.opens, () => sends.size);
  const clickers = audienceOf(options, 'clicks', sizes.clicks, () => openers.size);
  const clickerSend = (n: number) => openers.member(clickers.member(n));
  const latestOpens = new Repeats(sizes.opens, openers.size).latest;

  /** Those at the start, evenly; later ones in turn. */
  const some = (count: number, pool: number, sendOf: (n: number) => number) => {
    const choose = (row: number) => {
      if (pool === 0) return row;
      return sendOf(count <= pool && row < count ? Math.floor((row * pool) / count) : row % pool);
    };
    return { sendOf: choose, next: (row: number) => ({ send: choose(row), isFirst: false }) };
  };
  const opener = (n: number) => openers.member(n);
  const missed = openers.others.size;
  const bounced = missed > 0 ? (n: number) => openers.rest(n) : (n: number) => n;
  const reports = {
    sends,
    opens: rows('opens', repeated(sizes.opens, openers, opener)),
    clicks: rows('clicks', repeated(sizes.clicks, clickers, clickerSend)),
    bounces: rows('bounces', some(sizes.bounces, missed || sizes.sends, bounced)),
    forwards: rows('forwards', some(sizes.forwards, openers.size, opener)),
    unsubscribes: rows('unsubscribes', some(sizes.unsubscribes, openers.size, opener)),
  };
  const links = new Links(options.urls ?? defaultLinks(options.id), sizes.clicks);
  return { reports, openers, clickers, latestOpens, links };
}

function sizesOf({ size, reports, urls }: CampaignOptions): Record<TrackingReport, number> {
  const sends = reports?.sends?.size ?? size;
  const onLinks = urls?.every(({ clicks }) => clicks !== undefined)
    ? urls.reduce((sum, { clicks = 0 }) => sum + clicks, 0)
    : undefined;
  const sizeOf = (report: TrackingReport) =>
    reports?.[report]?.size ?? (report === 'clicks' ? onLinks : undefined) ?? sends >> usual[report].shift;
  return Object.fromEntries(trackingReports.map((report) => [report, sizeOf(report)])) as Record<
    TrackingReport,
    number
  >;
}

function datesOf(options: CampaignOptions, report: TrackingReport, size: number, nowMs: number) {
  const { reports, known = [], spacingMs = 1000 } = options;
  const sentMs = reports?.sends?.newestMs ?? options.newestMs;
  if (report === 'sends') {
    const even = evenDates(sentMs, reports?.sends?.spacingMs ?? spacingMs);
    return (back: number) => (known[back] ? Date.parse(known[back].at) : even(back));
  }
  const given = reports?.[report];
  const newestMs = given?.newestMs ?? Math.max(sentMs, Math.min(sentMs + usual[report].days * dayMs, nowMs));
  return given?.spacingMs === undefined ? fadingDates(newestMs, sentMs, size) : evenDates(newestMs, given.spacingMs);
}

/** The contacts who did something at the start: by default three quarters of the rows. */
function audienceOf({ reports }: CampaignOptions, report: 'opens' | 'clicks', rows: number, pool: () => number) {
  return new Audience(Math.min(rows, reports?.[report]?.contacts ?? Math.ceil(rows * 0.75)), pool);
}

/** Rows of an audience whose members can do it again. Added rows are by new members, as long as there are any. */
function repeated(rows: number, audience: Audience, sendOf: (member: number) => number) {
  const repeats = new Repeats(rows, audience.size);
  const isEmpty = audience.size === 0;
  return {
    sendOf: (row: number) => (isEmpty ? row : sendOf(repeats.memberOf(row))),
    next: (row: number) => {
      const isFirst = audience.join();
      const member = isFirst ? audience.size - 1 : row % Math.max(1, audience.size);
      return { send: audience.size === 0 ? row : sendOf(member), isFirst };
    },
  };
}

const domains = ['example.com', 'example.org', 'mail.example.net', 'staff.example.com'];

function contactsOf({ known = [] }: CampaignOptions, sends: number) {
  return (send: number): Contact => {
    const example = send < sends ? known[sends - 1 - send] : undefined;
    if (example) return { contactId: example.contactId, email: example.email };
    const name = scatter(send ^ 0x5bd1e995).toString(36);
    return { contactId: String(scatter(send)), email: `${name}@${domains[scatter(send) % domains.length]}` };
  };
}

/**
 * Describes what is cached: pages of lists, and single items. Cache keys, freshness and JSON follow from the descriptors.
 */
import type { z } from 'zod';
import type { OddRows } from './rows.ts';

/** One of Constant Contact's tracking reports of a campaign. */
export type ReportName = 'sends' | 'opens' | 'clicks' | 'bounces' | 'forwards' | 'unsubscribes';

/** A list with pages: a report, or the directory of campaigns. */
export type ListName = ReportName | 'campaigns';

/** A resource of one campaign without pages. */
export type DetailName = 'campaign' | 'summary' | 'links';

/** Answers of Constant Contact from which other resources are made. */
export type SourceName = 'v2-details' | 'v3-emails' | 'v3-summaries' | 'v3-email' | 'v3-stats';

/** What callers ask for: the values of `report` in logs, metrics and traces. */
export type ServedName = ListName | DetailName;

/** Names in every cache key. */
export type ResourceName = ServedName | SourceName;

/** The resource that an answer of Constant Contact is fetched for, in the words of callers. */
const servedAs: Readonly<Record<SourceName, ServedName>> = {
  'v2-details': 'campaign', // Its summary and its links come with it.
  'v3-emails': 'campaigns',
  'v3-summaries': 'campaigns',
  'v3-email': 'campaign',
  'v3-stats': 'summary',
};

const isSource = (name: ResourceName): name is SourceName => name in servedAs;
export const reportOf = (name: ResourceName): ServedName => (isSource(name) ? servedAs[name] : name);

/** What calls are made for: a resource, lookups of what a campaign's id means, or probes. */
export type CallReport = ServedName | 'ids' | 'probe';

/** A row of a list, or the only item of its resource. */
export type Item = Readonly<Record<string, unknown>>;

/** Pure data. */
export interface Resource<I extends Item = Item> {
  readonly name: ResourceName;
  /** Describes an item, and parses it from cached JSON. */
  readonly schema: z.ZodType<I>;
  /** JSON of the whole: rows with `meta.pagination`, rows in `results`, or the only item. */
  readonly body: 'page' | 'results' | 'item';
  /** Rule for how long it stays fresh (`cache/freshness.ts`). */
  readonly freshness: 'report' | 'directory' | 'campaign';
  /** Field with the campaign's id as in the request; undefined if there is none. */
  readonly askedField?: (keyof I & string) | undefined;
  /** Field with the date that freshness depends on: a canonical instant, or empty. */
  readonly dateField?: (keyof I & string) | undefined;
  /** Returns an identity that changes with the newest row; unique among the rows of a report. */
  identity(item: I): string;
}

/** A page of a list, or a single item, as parsed by an adapter. */
export interface ParsedPage {
  /** Of a report: newest first. */
  readonly rows: readonly Item[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
  /** Fields that deviate from the documentation, if any. */
  readonly odd?: OddRows;
}

/**
 * Returns the newest date of the items in milliseconds; undefined if none has a date. Checks all, since their order is not
 * certain.
 */
export function newest({ dateField }: Resource, items: readonly Item[]): number | undefined {
  if (dateField === undefined) return undefined;
  let latest = '';
  // Canonical instants compare as texts, in a tenth of the time of parsing each.
  for (const { [dateField]: date } of items) {
    if (typeof date === 'string' && date > latest && !Number.isNaN(Date.parse(date))) latest = date;
  }
  return latest === '' ? undefined : Date.parse(latest);
}

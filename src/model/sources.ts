/**
 * Answers of Constant Contact that are no resource of Sendgate's, but are cached: resources are made from them.
 */
import { z } from 'zod';
import { countsSchema, countsShape, linkSchema } from './campaign.ts';
import type { Resource } from './resource.ts';

const texts = <N extends string>(...names: readonly N[]) =>
  Object.fromEntries(names.map((name) => [name, z.string()])) as Record<N, z.ZodString>;

/** v2's answer about a campaign: itself, its counts and its links. */
const v2DetailsSchema = z.object({
  ...texts('name', 'status', 'modified_date', 'last_run_date', 'subject', 'from_name', 'from_email', 'created_date'),
  counts: countsSchema,
  links: z.array(linkSchema),
});
export type V2Details = Readonly<z.output<typeof v2DetailsSchema>>;

/** A row of v3's list of campaigns, which knows no counts. */
const v3EmailsSchema = z.object(texts('id', 'name', 'status', 'modified_date'));
export type V3EmailsRow = Readonly<z.output<typeof v3EmailsSchema>>;

/** A row of v3's campaign summaries, which know no names. */
const v3SummariesSchema = z.object({ ...texts('id', 'last_run_date'), ...countsShape });
export type V3SummariesRow = Readonly<z.output<typeof v3SummariesSchema>>;

/** v3's answers about an activity and its campaign. */
const v3EmailSchema = z.object({
  ...texts('name', 'status', 'modified_date', 'subject', 'from_name', 'from_email', 'created_date'),
  campaign: z.string(),
  activities: z.array(z.object(texts('id', 'role'))),
});
export type V3Email = Readonly<z.output<typeof v3EmailSchema>>;

/** v3's statistics of an activity. */
const v3StatsSchema = z.object({ ...countsShape, refreshed_at: z.string() });
export type V3Stats = Readonly<z.output<typeof v3StatsSchema>>;

export const v2DetailsSource = {
  name: 'v2-details',
  schema: v2DetailsSchema,
  body: 'item',
  freshness: 'campaign',
  dateField: 'last_run_date',
  identity: ({ modified_date, status }) => `${modified_date} ${status}`,
} satisfies Resource<V2Details>;

export const v3EmailsSource = {
  name: 'v3-emails',
  schema: v3EmailsSchema,
  body: 'page',
  freshness: 'directory',
  dateField: 'modified_date',
  identity: ({ id, modified_date, status }) => `${id} ${modified_date} ${status}`,
} satisfies Resource<V3EmailsRow>;

export const v3SummariesSource = {
  name: 'v3-summaries',
  schema: v3SummariesSchema,
  body: 'page',
  freshness: 'directory',
  dateField: 'last_run_date',
  identity: ({ id, last_run_date }) => `${id} ${last_run_date}`,
} satisfies Resource<V3SummariesRow>;

export const v3EmailSource = {
  name: 'v3-email',
  schema: v3EmailSchema,
  body: 'item',
  freshness: 'campaign',
  identity: ({ modified_date, status }) => `${modified_date} ${status}`,
} satisfies Resource<V3Email>;

export const v3StatsSource = {
  name: 'v3-stats',
  schema: v3StatsSchema,
  body: 'item',
  freshness: 'campaign',
  identity: ({ refreshed_at }) => refreshed_at,
} satisfies Resource<V3Stats>;

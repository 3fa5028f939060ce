/**
 * Resources of one campaign without pages: the campaign, its counts, and its links.
 */
import { z } from 'zod';
import { campaignShape } from './directory.ts';
import type { Resource } from './resource.ts';

const campaignSchema = z.object({
  ...campaignShape,
  id: z.string().meta({ description: 'The id in the request', examples: ['1100394165287'] }),
  subject: z.string().meta({ examples: ['20% off until Sunday'] }),
  from_name: z.string().meta({ examples: ['Example Shop'] }),
  from_email: z.string().meta({ examples: ['news@example.com'] }),
  created_date: z.string().meta({ description: 'Instant in UTC', examples: ['2012-12-01T09:00:00.000Z'] }),
  activities: z
    .array(z.object({ id: z.string(), role: z.string() }))
    .meta({ description: 'Its activities that have reports, with v3: the first send and each resend. Empty with v2' }),
});
export type Campaign = Readonly<z.output<typeof campaignSchema>>;

const count = (description: string, example: number) =>
  z
    .int()
    .nonnegative()
    .nullable()
    .meta({ description, examples: [example] });

/** Counts of a campaign; null where Constant Contact has no number yet. */
export const countsShape = {
  sends: count('Addresses it was sent to', 1363),
  opens: count('Contacts that opened it', 789),
  clicks: count('Contacts that clicked a link in it', 327),
  forwards: count('Forwards', 39),
  unsubscribes: count('Unsubscribes', 4),
  bounces: count('Bounces of every kind', 12),
  spam_count: count('Reports of spam', 6),
};
export const countsSchema = z.object(countsShape);
export type Counts = Readonly<z.output<typeof countsSchema>>;

/** Counts of a campaign without statistics (yet). */
export const noCounts: Counts = {
  ...{ sends: null, opens: null, clicks: null, forwards: null },
  ...{ unsubscribes: null, bounces: null, spam_count: null },
};

const summarySchema = z.object({
  campaign_id: z.string().meta({ description: 'The id in the request', examples: ['1100394165287'] }),
  ...countsShape,
  as_of: z.string().meta({
    description: 'Instant in UTC at which Constant Contact had these numbers',
    examples: ['2012-12-07T08:00:00.000Z'],
  }),
});
export type Summary = Readonly<z.output<typeof summarySchema>>;

export const linkSchema = z.object({
  link_id: z.string().meta({ description: 'Selects its clicks: `clicks?link_id=…`', examples: ['1'] }),
  url: z.string().meta({ examples: ['https://www.example.com/sale'] }),
  clicks: count('Clicks on the link; with v3, contacts that clicked it', 211),
});
export type Link = Readonly<z.output<typeof linkSchema>>;

export const campaignResource = {
  name: 'campaign',
  schema: campaignSchema,
  body: 'item',
  freshness: 'campaign',
  askedField: 'id',
  dateField: 'last_run_date',
  identity: ({ modified_date, status }) => `${modified_date} ${status}`,
} satisfies Resource<Campaign>;

export const summaryResource = {
  name: 'summary',
  schema: summarySchema,
  body: 'item',
  freshness: 'campaign',
  askedField: 'campaign_id',
  identity: ({ as_of }) => as_of,
} satisfies Resource<Summary>;

/** Most clicked first. */
export const linksResource = {
  name: 'links',
  schema: linkSchema,
  body: 'results',
  freshness: 'campaign',
  identity: ({ link_id }) => link_id,
} satisfies Resource<Link>;

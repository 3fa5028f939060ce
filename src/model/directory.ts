/**
 * The directory: all campaigns of the account.
 */
import { z } from 'zod';
import type { List } from './list.ts';

/** v2's words for the state of a campaign, and v3's `ERROR`. */
export const campaignStatuses = ['DRAFT', 'RUNNING', 'SENT', 'SCHEDULED', 'DELETED', 'ERROR'] as const;

/** Values of the filter: deleted campaigns are listed only with `DELETED` or `ALL`. */
export const statusFilters = ['ALL', 'DRAFT', 'RUNNING', 'SENT', 'SCHEDULED', 'DELETED'] as const;

/** The shared fields of a campaign, in the directory and alone. */
export const campaignShape = {
  id: z.string().meta({ description: 'Digits with v2, a UUID with v3', examples: ['1100394165287'] }),
  name: z.string().meta({ examples: ['Spring sale'] }),
  status: z.string().meta({
    description: `One of ${campaignStatuses.join(', ')}; others only if Constant Contact adds one`,
    examples: ['SENT'],
  }),
  modified_date: z
    .string()
    .meta({ description: 'Last change, in UTC with milliseconds', examples: ['2012-12-06T13:00:00.000Z'] }),
  last_run_date: z.string().meta({
    description:
      'When it last went out, in UTC with milliseconds. Empty before that and, in the directory, with v2; with v3 it can be empty for campaigns that are not among the 500 sent last',
    examples: ['2012-12-06T13:06:14.762Z'],
  }),
};

const schema = z.object(campaignShape);
export type CampaignRow = Readonly<z.output<typeof schema>>;

export const directory = {
  name: 'campaigns',
  rowName: 'campaign',
  schema,
  body: 'page',
  freshness: 'directory',
  fields: schema.keyof().options,
  dateField: 'modified_date',
  since: 'modified_since',
  maxLimit: 50, // v2's.
  filter: { name: 'status' },
  identity: ({ id, modified_date, status }) => `${id} ${modified_date} ${status}`,
} satisfies List<CampaignRow>;

/**
 * Examples in the description: Constant Contact's documented answers in Sendgate's form.
 */
import type { z } from 'zod';
import { directory } from '../../model/directory.ts';
import type { List, Row } from '../../model/list.ts';
import type { publicStatusSchema } from '../../observability/status.ts';
import type { pageSchemaOf } from '../../reports/page-json.ts';
import { type Json, toJsonSchema } from './json-schema.ts';

const exampleCampaign = '1100394165287';

/** Builds an example page of a list from the examples of its fields. */
export function examplePage(list: List): z.output<ReturnType<typeof pageSchemaOf>> {
  const path = list.name === directory.name ? '/campaigns' : `/campaigns/${exampleCampaign}/${list.name}`;
  const row = exampleOf(list.schema) as Row;
  return { meta: { pagination: { next_link: `${path}?next=c3RhcnRBdD0zJmxpbWl0PTI` } }, results: [row] };
}

/** Builds an example of an item from the examples of its fields; those without one are empty. */
export function exampleOf(schema: z.ZodType): Json {
  const { properties } = toJsonSchema(schema) as {
    properties: Readonly<Record<string, { type?: string; examples?: readonly unknown[] }>>;
  };
  const values = Object.entries(properties).map(([field, { type, examples }]) => {
    if (field === 'campaign_id' || field === 'id') return [field, exampleCampaign];
    return [field, examples?.[0] ?? (type === 'array' ? [] : '')];
  });
  return Object.fromEntries(values);
}

export const exampleStatus = {
  upstream: {
    ...{ callsThisSecond: 2, perSecond: 4, callsToday: 1_204, leftToday: 8_796, dayEndsAt: '2026-01-02T00:00:00.000Z' },
    ...{ circuit: 'closed', credentials: 'ok', quota: 'ok', api: 'ok' },
    ...{ state: 'ok', since: '2026-01-01T06:00:00.000Z', pace: { calls: 96, seconds: 1_800 } },
  },
  teams: [{ team: 'web', calls: 1_204, part: 5_000, borrowed: 0, kept: 2_500, available: 3_796 }],
  queues: [{ team: 'web', urgency: 'interactive', waiting: 1, waitP50: 0.12, waitP95: 0.8, calls: 1_100 }],
  served: { web: { fresh: 28_111, stale: 12, miss: 1_088 } },
  errors: { web: { rateLimited: 3, rejected: 12, failed: 0 } },
} satisfies z.output<typeof publicStatusSchema>;

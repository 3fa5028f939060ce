/**
 * Examples in the description: Constant Contact's documented answers in Sendgate's form.
 */
import type { z } from 'zod';
import type { Report, Row } from '../../model/report.ts';
import type { publicStatusSchema } from '../../observability/status.ts';
import type { pageSchemaOf } from '../../reports/page-json.ts';
import { toJsonSchema } from './json-schema.ts';

export const exampleCampaign = '1100394165287';

/** Builds an example page of a report from the examples of its fields. */
export function examplePage({ name, schema, fields }: Report): z.output<ReturnType<typeof pageSchemaOf>> {
  const { properties } = toJsonSchema(schema) as {
    properties: Readonly<Record<string, { examples?: readonly string[] }>>;
  };
  const exampleOf = (field: string) =>
    field === 'campaign_id' ? exampleCampaign : (properties[field]?.examples?.[0] ?? '');
  const row: Row = Object.fromEntries(fields.map((field) => [field, exampleOf(field)]));
  const next_link = `/campaigns/${exampleCampaign}/${name}?next=c3RhcnRBdD0zJmxpbWl0PTI`;
  return { meta: { pagination: { next_link } }, results: [row] };
}

export const exampleStatus = {
  upstream: {
    ...{ callsThisSecond: 2, perSecond: 4, callsToday: 1_204, leftToday: 8_796, dayEndsAt: '2026-01-02T00:00:00.000Z' },
    ...{ circuit: 'closed', credentials: 'ok', quota: 'ok', api: 'ok' },
  },
  teams: [{ team: 'web', calls: 1_204, part: 5_000, borrowed: 0, available: 3_796 }],
  queues: [{ team: 'web', urgency: 'interactive', waiting: 1, waitP50: 0.12, waitP95: 0.8, calls: 1_100 }],
  served: { web: { fresh: 28_111, stale: 12, miss: 1_088 } },
} satisfies z.output<typeof publicStatusSchema>;

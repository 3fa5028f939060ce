/**
 * `GET|HEAD /campaigns/:id/sends/summary`: a campaign's number of sends, without reading them all.
 */
import type { RequestHandler } from 'express';
import { z } from 'zod';
import { untilDisconnected } from '../http/disconnect.ts';
import { answerJson, requireJson } from '../http/json-response.ts';
import { answeredOptions } from '../http/methods.ts';
import { contextOf, payerOf } from '../http/request-context.ts';
import { searchOf } from '../http/target.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { parseCampaign } from '../reports/query.ts';
import type { SummarySource } from './summaries.ts';

export const summaryPath = '/campaigns/:id/sends/summary';

export const summarySchema = z.object({
  campaign_id: z.string().meta({ description: 'The id in the request', examples: ['1100394165287'] }),
  sends: z
    .int()
    .nonnegative()
    .nullable()
    .meta({
      description: "Constant Contact's count of sends; null until it has one, as before a campaign is sent",
      examples: [3],
    }),
});

/** Handles every method of the resource. Rejects with Problems for the error handler. */
export function summaryHandler(summaries: SummarySource, ids: CampaignIdRule): RequestHandler<{ id: string }> {
  return async (req, res) => {
    const { record } = contextOf(req);
    record.route = summaryPath;
    if (answeredOptions(req)) return;
    requireJson(req.headers);
    const campaign = parseCampaign(req.params.id, searchOf(req.url), ids);
    record.campaign = campaign;
    const { sends } = await summaries.get(campaign, payerOf(req), untilDisconnected(res));
    const summary = { campaign_id: campaign, sends } satisfies z.output<typeof summarySchema>;
    answerJson(req, 'private, no-cache', summary);
  };
}

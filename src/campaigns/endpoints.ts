/**
 * `GET|HEAD /campaigns`, `/campaigns/:id`, `…/summary` and `…/links`.
 */
import type { RequestHandler } from 'express';
import { headerLines } from '../http/header-block.ts';
import { answeredOptions } from '../http/methods.ts';
import { contextOf } from '../http/request-context.ts';
import { searchOf } from '../http/target.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { directory } from '../model/directory.ts';
import type { DetailName } from '../model/resource.ts';
import { type EndpointParts, PageEndpoint } from '../reports/page-endpoint.ts';
import { parseDetailQuery, parsePageQuery } from '../reports/query.ts';

export const directoryPath = '/campaigns';
export const detailPaths: Readonly<Record<DetailName, string>> = {
  campaign: '/campaigns/:id',
  summary: '/campaigns/:id/summary',
  links: '/campaigns/:id/links',
};

export type CampaignEndpoints = Readonly<Record<'campaigns' | DetailName, PageEndpoint>>;

export function campaignEndpoints(parts: EndpointParts): CampaignEndpoints {
  const detail = (name: DetailName) =>
    new PageEndpoint(parts, {
      report: name,
      route: detailPaths[name],
      parse: ({ id = '' }, search, ids) => parseDetailQuery(name, id, search, ids),
    });
  const campaigns = new PageEndpoint(parts, {
    report: 'campaigns',
    route: directoryPath,
    parse: (_path, search, ids) => parsePageQuery(directory, undefined, search, ids),
  });
  return { campaigns, campaign: detail('campaign'), summary: detail('summary'), links: detail('links') };
}

/** The path of the summary in the first version of Sendgate. */
export const oldSummaryPath = '/campaigns/:id/sends/summary';

export function oldSummary(basePath: string, ids: CampaignIdRule): RequestHandler<{ id: string }> {
  return (req) => {
    const context = contextOf(req);
    const { record } = context;
    record.route = oldSummaryPath;
    record.report = 'summary';
    if (answeredOptions(req)) return;
    const { campaign } = parseDetailQuery('summary', req.params.id, searchOf(req.url), ids);
    record.campaign = campaign;
    context.answer(308, headerLines('Location', `${basePath}${detailPaths.summary.replace(':id', campaign)}`));
  };
}

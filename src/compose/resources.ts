/**
 * Builds the resources of a campaign on a source of pages.
 */
import type { PageSource } from '../cache/page-source.ts';
import type { Addresses } from '../callers/address.ts';
import type { SummarySource } from '../campaigns/summaries.ts';
import { summaryHandler } from '../campaigns/summary-endpoint.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { cursorRules } from '../model/cursor.ts';
import { ReportExports } from '../reports/export/export-endpoint.ts';
import type { ExportSlots } from '../reports/export/slots.ts';
import { reportEndpoints } from '../reports/page-endpoint.ts';
import { PreparedResponses } from '../reports/prepared-responses.ts';
import { ReadAhead } from '../reports/read-ahead.ts';
import { RefreshAhead } from '../reports/refresh-ahead.ts';

/** Sources of pages and summaries: the cache of this process, or the primary. */
export interface SourceParts {
  readonly clock: Clock;
  readonly pages: PageSource;
  readonly summaries: SummarySource;
  readonly campaignIds: CampaignIdRule;
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
  readonly exportSlots: ExportSlots;
  /** Bytes for prepared responses. */
  readonly responsesBytes: number;
}

interface Parts extends SourceParts {
  readonly addresses: Addresses;
  /** Header lines of every response. */
  readonly commonLines: string;
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export function buildResources(config: Config, parts: Parts) {
  const { clock, pages, summaries, campaignIds, isAmple, addresses } = parts;
  const responses = new PreparedResponses(parts.commonLines, parts.responsesBytes);
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const isCursor = cursorRules[config.constantContact.api];
  const endpointParts = { pages, responses, readAhead, refreshAhead, addresses, campaignIds, isCursor, clock };
  return {
    responses,
    refreshAhead,
    endpoints: reportEndpoints(endpointParts),
    /** For programs written for Constant Contact v2. */
    dropIns: config.server.dropInV2 ? reportEndpoints(endpointParts, 'v2') : undefined,
    exports: new ReportExports(
      { pages, campaignIds, clock, onUnexpected: parts.onUnexpected, slots: parts.exportSlots },
      config.exports,
    ),
    summary: summaryHandler(summaries, campaignIds),
  };
}

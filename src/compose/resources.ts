/**
 * Builds the resources of a campaign on a source of pages.
 */
import type { PageSource } from '../cache/page-source.ts';
import { readPlace } from '../campaigns/directory-cursor.ts';
import { campaignEndpoints } from '../campaigns/endpoints.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { cursorRules } from '../model/cursor.ts';
import type { List } from '../model/list.ts';
import type { NextPage } from '../model/page-query.ts';
import { Exports } from '../reports/export/export-endpoint.ts';
import type { ExportSlots } from '../reports/export/slots.ts';
import { reportEndpoints } from '../reports/page-endpoint.ts';
import { PreparedResponses } from '../reports/prepared-responses.ts';
import { ReadAhead } from '../reports/read-ahead.ts';
import { RefreshAhead } from '../reports/refresh-ahead.ts';
import { dropInEndpoints } from '../reports/v2-compat/drop-in.ts';

/** Source of pages: the cache of this process, or the primary. */
export interface SourceParts {
  readonly clock: Clock;
  readonly pages: PageSource;
  readonly campaignIds: CampaignIdRule;
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
  readonly exportSlots: ExportSlots;
  /** Returns the bytes for prepared responses. */
  readonly bytesForResponses: (config: Config) => number;
}

interface Parts extends SourceParts {
  /** Header lines of every response. */
  readonly commonLines: string;
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

export function buildResources(config: Config, parts: Parts) {
  const { clock, pages, campaignIds, isAmple } = parts;
  const responses = new PreparedResponses(parts.commonLines, parts.bytesForResponses(config));
  const readAhead = new ReadAhead({ pages, isAmple }, config.cache.readAheadPages);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });
  const { api } = config.constantContact;
  const isCursor = ({ resource, cursor }: NextPage) =>
    api === 'v3' && resource === 'campaigns' ? readPlace(cursor) !== undefined : cursorRules[api](cursor);
  // With v3, pages of the directory are cut from Constant Contact's of 500: an export takes those whole.
  const limitOf = ({ maxLimit }: List) => (api === 'v3' ? 500 : maxLimit);
  const endpointParts = { pages, responses, readAhead, refreshAhead, campaignIds, isCursor, clock };
  return {
    responses,
    readAhead,
    refreshAhead,
    endpoints: { ...reportEndpoints(endpointParts), ...campaignEndpoints(endpointParts) },
    /** For programs written for Constant Contact v2. */
    dropIns: config.server.dropInV2 ? dropInEndpoints(endpointParts) : [],
    exports: new Exports(
      { pages, campaignIds, clock, limitOf, onUnexpected: parts.onUnexpected, slots: parts.exportSlots },
      config.exports,
    ),
  };
}

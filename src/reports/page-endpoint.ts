/**
 * `GET|HEAD /campaigns/:id/{report}`: a page.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Encoding } from '../cache/compression.ts';
import type { Lookup, PageSource } from '../cache/page-source.ts';
import type { Addresses } from '../callers/address.ts';
import type { Clock } from '../clock.ts';
import { isCurrent } from '../http/conditional-request.ts';
import { untilDisconnected } from '../http/disconnect.ts';
import { requireJson } from '../http/json-response.ts';
import { answeredOptions } from '../http/methods.ts';
import { chooseEncoding } from '../http/negotiation.ts';
import type { PreparedResponse } from '../http/prepared-response.ts';
import { contextOf, payerOf, type RequestContext } from '../http/request-context.ts';
import { searchOf } from '../http/target.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import type { PageForm, PageQuery } from '../model/page-query.ts';
import type { Report, ReportName } from '../model/report.ts';
import { allReports } from '../model/reports.ts';
import { Problem } from '../problems.ts';
import { requestedMaxAge } from './cache-control.ts';
import { cacheLines, cacheOutcome } from './cache-status.ts';
import type { Form, PreparedResponses } from './prepared-responses.ts';
import { parsePageQuery } from './query.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { RefreshAhead } from './refresh-ahead.ts';
import { dropInPath, parseDropInQuery } from './v2-compat/drop-in.ts';

interface Parts {
  readonly pages: PageSource;
  readonly responses: PreparedResponses;
  readonly readAhead: ReadAhead;
  readonly refreshAhead: RefreshAhead;
  readonly addresses: Addresses;
  readonly campaignIds: CampaignIdRule;
  /** Whether a cursor can be Constant Contact's. Any other is refused without a call or a cache entry. */
  readonly isCursor: (cursor: string) => boolean;
  readonly clock: Clock;
}

export const reportPath = ({ name }: Report) => `/campaigns/:id/${name}`;

/** The caller's preferences in the request headers. */
export interface Preferences {
  readonly headers: IncomingHttpHeaders;
  readonly encoding: Encoding;
  readonly maxAgeSeconds: number | undefined;
  /** Address of the caller, which identifies callers that follow cursors. */
  readonly client: string;
}

/** A parsed request. */
interface PageRequest {
  readonly query: PageQuery;
  readonly preferences: Preferences;
}

/** A page and its prepared response. */
interface PageResponse {
  readonly lookup: Lookup;
  readonly ready: PreparedResponse;
}

/** A request whose page is cached, fresh enough, and prepared in the caller's encoding. */
export interface Hit extends PageRequest, PageResponse {
  readonly kind: 'hit';
}

/** A request whose page must first be fetched, awaited or encoded. */
export interface Miss extends PageRequest {
  readonly kind: 'miss';
}

/** A request that is refused or whose lookup failed. */
export interface Failure {
  readonly kind: 'failure';
  /** Undefined for an invalid request. */
  readonly query: PageQuery | undefined;
  readonly error: unknown;
}

export type RequestLookup = Hit | Miss | Failure;

/** The endpoints of one form of pages. */
export type ReportEndpoints = Readonly<Record<ReportName, ReportEndpoint>>;

/**
 * The resource. `lookup` parses a request and looks its page up. The fast path answers hits and hands everything else over to
 * `handle`, together with the lookup.
 */
export class ReportEndpoint {
  readonly #parts: Parts;
  readonly #route: string;
  readonly #report: Report;
  readonly #parse: typeof parseDropInQuery;
  /** Lookups that the fast path handed over to `handle`. */
  readonly #decided = new WeakMap<IncomingMessage, RequestLookup>();

  /** @param form of the pages; Sendgate's by default */
  constructor(parts: Parts, report: Report, form?: PageForm) {
    this.#parts = parts;
    this.#report = report;
    this.#route = form === 'v2' ? dropInPath(report) : reportPath(report);
    this.#parse = form === 'v2' ? parseDropInQuery : parsePageQuery;
  }

  /** Handles every method of the resource. Throws or rejects with Problems for the error handler. */
  readonly handle: RequestHandler<{ id: string }> = (req, res) => {
    const context = contextOf(req);
    const { record } = context;
    record.route = this.#route;
    if (answeredOptions(req)) return;

    const decided = this.#decided.get(req) ?? this.lookup(req, req.params.id);
    record.campaign = decided.query?.campaign;
    if (decided.kind === 'failure') throw decided.error;
    if (decided.kind === 'hit') return this.answer(context, decided);

    const { query, preferences } = decided;
    const { maxAgeSeconds } = preferences;
    return this.#parts.pages
      .get(query, { ...payerOf(req), signal: untilDisconnected(res), maxAgeSeconds })
      .then(async (lookup) => {
        const ready = await this.#parts.responses.of(lookup.page.body, formOf(lookup, preferences));
        this.answer(context, { query, preferences, lookup, ready });
      });
  };

  /** Passes a lookup to `handle`, which then does not repeat it. */
  handOver(req: IncomingMessage, lookup: RequestLookup): void {
    this.#decided.set(req, lookup);
  }

  /**
   * Parses a GET or HEAD and looks its page up. Never waits and counts nothing.
   *
   * @param id of the campaign, as in the path
   * @throws Problem for an invalid request
   */
  lookup(req: IncomingMessage, id: string): RequestLookup {
    const preferences = this.preferencesOf(req);
    return this.find(this.query(id, req.url ?? ''), preferences);
  }

  /** @throws Problem `not-acceptable` */
  preferencesOf(req: IncomingMessage): Preferences {
    const { headers } = req;
    requireJson(headers);
    return {
      headers,
      encoding: chooseEncoding(headers['accept-encoding'] as string | undefined),
      maxAgeSeconds: requestedMaxAge(headers['cache-control']),
      client: this.#parts.addresses.textOf(req),
    };
  }

  /** @throws Problem for an invalid campaign, parameter or cursor */
  query(id: string, url: string): PageQuery {
    const { campaignIds, isCursor } = this.#parts;
    const query = this.#parse(this.#report, id, searchOf(url), campaignIds);
    if (query.kind === 'next' && !isCursor(query.cursor)) {
      throw new Problem('invalid-cursor', { reason: 'unreadable' });
    }
    return query;
  }

  /** Looks up the page of a parsed request. */
  find(query: PageQuery, preferences: Preferences): RequestLookup {
    const { pages, responses } = this.#parts;
    try {
      const lookup = pages.hit(query, preferences.maxAgeSeconds);
      const ready = lookup && responses.held(lookup.page.body, formOf(lookup, preferences));
      return ready ? { kind: 'hit', query, preferences, lookup, ready } : { kind: 'miss', query, preferences };
    } catch (error) {
      return { kind: 'failure', query, error };
    }
  }

  answer(context: RequestContext, { query, preferences, lookup, ready }: PageRequest & PageResponse): void {
    const { clock, readAhead, refreshAhead } = this.#parts;
    const now = clock.monotonic();
    const { record } = context;
    record.route = this.#route;
    record.campaign = query.campaign;
    record.cache = cacheOutcome(lookup, now);
    context.answerReady(ready, cacheLines(lookup, now));
    readAhead.answered(query, lookup.page, context.identity, preferences.client);
    refreshAhead.answered(query, lookup.page, context.identity);
  }
}

function formOf({ page: { body } }: Lookup, { headers, encoding }: Preferences): Form {
  return isCurrent(headers, body.etag, body.lastModified) ? 'not-modified' : encoding;
}

/** Makes an endpoint for each report. @param form of the pages; Sendgate's by default */
export function reportEndpoints(parts: Parts, form?: PageForm): ReportEndpoints {
  const endpoints = allReports.map((report) => [report.name, new ReportEndpoint(parts, report, form)] as const);
  return Object.fromEntries(endpoints) as Record<ReportName, ReportEndpoint>;
}

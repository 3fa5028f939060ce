/**
 * `GET|HEAD` of what the cache holds: a page of a list, or a single item.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Encoding } from '../cache/compression.ts';
import type { Lookup, PageSource } from '../cache/page-source.ts';
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
import { type NextPage, noCampaign, type PageQuery } from '../model/page-query.ts';
import type { Report } from '../model/report.ts';
import { allReports } from '../model/reports.ts';
import type { ReportName, ServedName } from '../model/resource.ts';
import { Problem } from '../problems.ts';
import { requestedMaxAge } from './cache-control.ts';
import { cacheLines, cacheOutcome } from './cache-status.ts';
import type { Form, PreparedResponses } from './prepared-responses.ts';
import { parsePageQuery } from './query.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { RefreshAhead } from './refresh-ahead.ts';

export interface EndpointParts {
  readonly pages: PageSource;
  readonly responses: PreparedResponses;
  readonly readAhead: ReadAhead;
  readonly refreshAhead: RefreshAhead;
  readonly campaignIds: CampaignIdRule;
  /** Whether a cursor can be ours or Constant Contact's. Any other is refused without a call or a cache entry. */
  readonly isCursor: (query: NextPage) => boolean;
  readonly clock: Clock;
}

export const reportPath = ({ name }: Report) => `/campaigns/:id/${name}`;

/** The caller's preferences in the request headers. */
export interface Preferences {
  readonly headers: IncomingHttpHeaders;
  readonly encoding: Encoding;
  readonly maxAgeSeconds: number | undefined;
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

/** How requests for one resource are recognised. */
interface Requests {
  readonly report: ServedName;
  /** Pattern of its path, for the router, the log and metrics. */
  readonly route: string;
  /**
   * @param path the parameters in it
   * @param search the raw query string without its `?`
   * @throws Problem `invalid-request`
   */
  parse(path: PathParameters, search: string, ids: CampaignIdRule): PageQuery;
}

/** Parameters in a path. */
export interface PathParameters {
  /** Id of a campaign; undefined for a resource of the account. */
  readonly id?: string | undefined;
  readonly linkId?: string | undefined;
}

/**
 * The resource. `lookup` parses a request and looks its page up. The fast path answers hits and hands everything else over to
 * `handle`, together with the lookup.
 */
export class PageEndpoint {
  readonly route: string;
  readonly #report: ServedName;
  readonly #parts: EndpointParts;
  readonly #parse: Requests['parse'];
  /** Lookups that the fast path handed over to `handle`. */
  readonly #decided = new WeakMap<IncomingMessage, RequestLookup>();

  constructor(parts: EndpointParts, { report, route, parse }: Requests) {
    this.#parts = parts;
    this.#report = report;
    this.route = route;
    this.#parse = parse;
  }

  /** Handles every method of the resource. Throws or rejects with Problems for the error handler. */
  readonly handle: RequestHandler<Record<string, string>> = (req, res) => {
    const context = contextOf(req);
    const { record } = context;
    record.route = this.route;
    record.report = this.#report;
    if (answeredOptions(req)) return;

    const decided = this.#decided.get(req) ?? this.lookup(req, req.params);
    record.campaign = campaignIn(decided.query);
    if (decided.kind === 'failure') throw decided.error;
    if (decided.kind === 'hit') return this.answer(context, decided);

    const { query, preferences } = decided;
    const { maxAgeSeconds } = preferences;
    return this.#parts.pages
      .get(query, { ...payerOf(req), signal: untilDisconnected(res), maxAgeSeconds })
      .then(async (lookup) => {
        const { responses } = this.#parts;
        const { outcome, page } = lookup;
        const form = formOf(lookup, preferences);
        // A page that was purged on its way here, or is too large to be cached, leaves no response behind either.
        const isCached = outcome.kind === 'hit' || outcome.stored;
        const ready = await (isCached ? responses.of(page.body, form) : responses.once(page.body, form));
        this.answer(context, { query, lookup, ready });
      });
  };

  /** Passes a lookup to `handle`, which then does not repeat it. */
  handOver(req: IncomingMessage, lookup: RequestLookup): void {
    this.#decided.set(req, lookup);
  }

  /**
   * Parses a GET or HEAD and looks its page up. Never waits and counts nothing.
   *
   * @throws Problem for an invalid request
   */
  lookup(req: IncomingMessage, path: PathParameters): RequestLookup {
    const preferences = this.preferencesOf(req);
    return this.find(this.query(path, req.url ?? ''), preferences);
  }

  /** @throws Problem `not-acceptable` */
  preferencesOf(req: IncomingMessage): Preferences {
    const { headers } = req;
    requireJson(headers);
    return {
      headers,
      encoding: chooseEncoding(headers['accept-encoding'] as string | undefined),
      maxAgeSeconds: requestedMaxAge(headers['cache-control']),
    };
  }

  /** @throws Problem for an invalid campaign, parameter or cursor */
  query(path: PathParameters, url: string): PageQuery {
    const { campaignIds, isCursor } = this.#parts;
    const query = this.#parse(path, searchOf(url), campaignIds);
    if (query.kind === 'next' && !isCursor(query)) {
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

  answer(context: RequestContext, { query, lookup, ready }: Pick<PageRequest, 'query'> & PageResponse): void {
    const { clock, readAhead, refreshAhead } = this.#parts;
    const now = clock.monotonic();
    const { record } = context;
    record.route = this.route;
    record.report = this.#report;
    record.campaign = campaignIn(query);
    record.cache = cacheOutcome(lookup, now);
    context.answerReady(ready, cacheLines(lookup, now));
    readAhead.answered(query, lookup.page, context.identity);
    refreshAhead.answered(query, lookup.page, context.identity);
  }
}

const campaignIn = (query: PageQuery | undefined) => (query?.campaign === noCampaign ? undefined : query?.campaign);

function formOf({ page: { body } }: Lookup, { headers, encoding }: Preferences): Form {
  return isCurrent(headers, body.etag, body.lastModified) ? 'not-modified' : encoding;
}

/** The endpoint of each report. */
export function reportEndpoints(parts: EndpointParts): Readonly<Record<ReportName, PageEndpoint>> {
  const of = (report: Report) =>
    new PageEndpoint(parts, {
      report: report.name,
      route: reportPath(report),
      parse: ({ id }, search, ids) => parsePageQuery(report, id, search, ids),
    });
  return Object.fromEntries(allReports.map((report) => [report.name, of(report)])) as Record<ReportName, PageEndpoint>;
}

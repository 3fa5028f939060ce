/**
 * `GET|HEAD /campaigns/:id/{report}`: a page.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Encoding } from '../cache/compression.ts';
import type { Lookup, PageSource } from '../cache/page-source.ts';
import type { Addresses } from '../callers/address.ts';
import type { Clock } from '../clock.ts';
import { chooseEncoding } from '../http/negotiation.ts';
import { type Exchange, exchangeOf } from '../http/request-context.ts';
import { hasToAcceptJson, onlyReads, payerOf, searchOf, untilGone } from '../http/resource.ts';
import type { ReadyAnswer } from '../http/response-writer.ts';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import type { PageForm, PageQuery } from '../model/page-query.ts';
import type { Report, ReportName } from '../model/report.ts';
import { allReports } from '../model/reports.ts';
import { Problem } from '../problems.ts';
import { formOf, linesNow } from './answer.ts';
import { requestedMaxAge } from './cache-control.ts';
import { cacheOutcome } from './cache-status.ts';
import type { ReadyAnswers } from './prepared-responses.ts';
import { parsePageQuery } from './query.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { RefreshAhead } from './refresh-ahead.ts';
import { dropInPath, parseDropInQuery } from './v2-compat/drop-in.ts';

interface Parts {
  readonly pages: PageSource;
  readonly answers: ReadyAnswers;
  readonly readAhead: ReadAhead;
  readonly refreshAhead: RefreshAhead;
  readonly addresses: Addresses;
  readonly campaignIds: CampaignIdRule;
  /** Whether a cursor can be Constant Contact's: what cannot takes no place in the cache, and no call. */
  readonly isCursor: (cursor: string) => boolean;
  readonly clock: Clock;
}

export const reportPath = ({ name }: Report) => `/campaigns/:id/${name}`;

/** What the headers of a request say of the answer that is wanted. */
export interface Preferences {
  readonly headers: IncomingHttpHeaders;
  readonly encoding: Encoding;
  readonly maxAgeSeconds: number | undefined;
  /** Who walks. */
  readonly client: string;
}

/** A page that answers a question, and that as an answer. */
interface Answer {
  readonly found: Lookup;
  readonly ready: ReadyAnswer;
}

/** Those of one form. */
export type ReportEndpoints = Readonly<Record<ReportName, ReportEndpoint>>;

/** The endpoint in its parts, so that a hit can be answered without going the whole way. */
export class ReportEndpoint {
  readonly #parts: Parts;
  readonly #route: string;
  readonly #report: Report;
  readonly #parse: typeof parseDropInQuery;

  /** @param form that of the pages; Sendgate's own without it */
  constructor(parts: Parts, report: Report, form?: PageForm) {
    this.#parts = parts;
    this.#report = report;
    this.#route = form === 'v2' ? dropInPath(report) : reportPath(report);
    this.#parse = form === 'v2' ? parseDropInQuery : parsePageQuery;
  }

  /** Every method of the resource. Throws Problems, or rejects with them, for the error handler to answer. */
  readonly handle: RequestHandler<{ id: string }> = (req, res) => {
    const exchange = exchangeOf(req);
    const { told } = exchange;
    told.route = this.#route;
    if (onlyReads(req)) return;

    const preferences = this.preferencesOf(req);
    const query = this.query(req.params.id, req.url);
    told.campaign = query.campaign;
    const { maxAgeSeconds } = preferences;
    return this.#parts.pages
      .get(query, { ...payerOf(req), signal: untilGone(res), maxAgeSeconds })
      .then(async (found) => {
        const ready = await this.#parts.answers.of(found.page.body, this.#formOf(found, preferences));
        this.answer(exchange, query, preferences, { found, ready });
      });
  };

  /** @throws Problem `not-acceptable` */
  preferencesOf(req: IncomingMessage): Preferences {
    const { headers } = req;
    hasToAcceptJson(headers);
    return {
      headers,
      encoding: chooseEncoding(headers['accept-encoding'] as string | undefined),
      maxAgeSeconds: requestedMaxAge(headers['cache-control']),
      client: this.#parts.addresses.textOf(req),
    };
  }

  /** @throws Problem when the campaign, a parameter or the cursor is not valid */
  query(id: string, url: string): PageQuery {
    const { campaignIds, isCursor } = this.#parts;
    const query = this.#parse(this.#report, id, searchOf(url), campaignIds);
    if (query.kind === 'next' && !isCursor(query.cursor)) {
      throw new Problem('invalid-cursor', { reason: 'unreadable' });
    }
    return query;
  }

  /**
   * The page, if it is held and good enough, and if it need not be encoded first.
   *
   * @throws Problem with a remembered refusal
   */
  hit(query: PageQuery, preferences: Preferences): Answer | undefined {
    const found = this.#parts.pages.hit(query, preferences.maxAgeSeconds);
    const ready = found && this.#parts.answers.held(found.page.body, this.#formOf(found, preferences));
    return ready && { found, ready };
  }

  answer(exchange: Exchange, query: PageQuery, { client }: Preferences, { found, ready }: Answer): void {
    const { clock, readAhead, refreshAhead } = this.#parts;
    const now = clock.monotonic();
    const { told } = exchange;
    told.route = this.#route;
    told.campaign = query.campaign;
    told.cache = cacheOutcome(found, now);
    exchange.answerReady(ready, linesNow(found, now));
    readAhead.answered(query, found.page, exchange.identity, client);
    refreshAhead.answered(query, found.page, exchange.identity);
  }

  #formOf({ page }: Lookup, { headers, encoding }: Preferences) {
    return formOf(page.body, headers, encoding);
  }
}

/** An endpoint for each report. @param form as of ReportEndpoint */
export function reportEndpoints(parts: Parts, form?: PageForm): ReportEndpoints {
  const endpoints = allReports.map((report) => [report.name, new ReportEndpoint(parts, report, form)] as const);
  return Object.fromEntries(endpoints) as Record<ReportName, ReportEndpoint>;
}

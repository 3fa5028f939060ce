/**
 * `GET|HEAD /campaigns/:id/sends`
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { LRUCache } from 'lru-cache';
import type { Addresses } from '../callers/address.ts';
import type { Clock } from '../clock.ts';
import { exchangeOf } from '../operations/exchange.ts';
import type { ReadyAnswer } from '../operations/head.ts';
import type { Found, PageSource } from '../pages/pages.ts';
import { hasToAcceptJson, onlyReads, searchOf, untilGone } from '../resource.ts';
import type { CampaignIdRule, PageForm } from '../upstream/dialect.ts';
import { formFor, linesNow } from './answer.ts';
import { requestedMaxAge } from './cache-control.ts';
import { cacheOutcome } from './cache-status.ts';
import { dropInPath, dropInQuery } from './drop-in.ts';
import { parseSendsQuery, type SendsQuery } from './query.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { ReadyAnswers } from './ready-answers.ts';
import type { RefreshAhead } from './refresh-ahead.ts';

interface Parts {
  readonly pages: PageSource;
  readonly answers: ReadyAnswers;
  readonly readAhead: ReadAhead;
  readonly refreshAhead: RefreshAhead;
  readonly addresses: Addresses;
  readonly campaignIds: CampaignIdRule;
  readonly clock: Clock;
}

/** Targets that are remembered: dashboards ask for the same again and again. */
const maxRemembered = 1_000;
const maxRememberedLength = 300;

export const sendsPath = '/campaigns/:id/sends';

/** A valid question, the page that answers it, and that as an answer. */
interface Answer {
  readonly query: SendsQuery;
  readonly found: Found;
  readonly ready: ReadyAnswer;
}

/** The endpoint in its parts, so that a hit can be answered without going the whole way. */
export class SendsEndpoint {
  readonly #parts: Parts;
  readonly #route: string;
  readonly #toQuery: (query: SendsQuery) => SendsQuery;
  /** What targets that are in use ask for. */
  readonly #queries = new LRUCache<string, SendsQuery>({ max: maxRemembered });

  /** @param form that of the pages; Sendgate's own without it */
  constructor(parts: Parts, form?: PageForm) {
    this.#parts = parts;
    this.#route = form === 'v2' ? dropInPath : sendsPath;
    this.#toQuery = form === 'v2' ? dropInQuery : (query) => query;
  }

  /** Every method of the resource. Throws Problems, or rejects with them, for the error handler to answer. */
  readonly handle: RequestHandler<{ id: string }> = (req, res) => {
    const { told } = exchangeOf(req);
    told.route = this.#route;
    if (onlyReads(req)) return;

    const query = this.#query(req, req.params.id);
    told.campaign = query.campaign;
    return this.#parts.pages
      .get(query, {
        team: told.team,
        signal: untilGone(res),
        maxAgeSeconds: requestedMaxAge(req.headers['cache-control']),
      })
      .then(async (found) => {
        const { body } = found.page;
        this.answer(req, { query, found, ready: await this.#parts.answers.of(body, formFor(req, body)) });
      });
  };

  /**
   * What a GET or HEAD asks for, if it is held and good enough.
   *
   * @throws Problem when the request is not valid, or the page a remembered refusal
   */
  hit(req: IncomingMessage, id: string): Answer | undefined {
    const query = this.#query(req, id);
    const found = this.#parts.pages.hit(query, requestedMaxAge(req.headers['cache-control']));
    if (!found) return undefined;
    const { body } = found.page;
    const ready = this.#parts.answers.held(body, formFor(req, body));
    return ready && { query, found, ready };
  }

  answer(req: IncomingMessage, { query, found, ready }: Answer): void {
    const { clock, readAhead, refreshAhead, addresses } = this.#parts;
    const now = clock.now();
    const exchange = exchangeOf(req);
    const { told } = exchange;
    told.route = this.#route;
    told.campaign = query.campaign;
    told.cache = cacheOutcome(found, now);
    exchange.answerReady(ready, linesNow(found, now));
    readAhead.answered(query, found.page, told.team, addresses.of(req));
    refreshAhead.answered(query, found.page, told.team);
  }

  #query({ url = '', headers }: IncomingMessage, id: string): SendsQuery {
    hasToAcceptJson(headers);
    const known = this.#queries.get(url);
    if (known) return known;
    const query = this.#toQuery(parseSendsQuery(id, searchOf(url), this.#parts.campaignIds));
    if (url.length <= maxRememberedLength) this.#queries.set(url, query);
    return query;
  }
}

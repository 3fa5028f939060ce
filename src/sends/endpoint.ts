/**
 * `GET|HEAD /campaigns/:id/sends`
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import type { Clock } from '../clock.ts';
import { exchangeOf } from '../operations/exchange.ts';
import type { Found, Pages } from '../pages/pages.ts';
import { Problem } from '../problems.ts';
import { answerPage } from './answer.ts';
import { requestedMaxAge } from './cache-control.ts';
import { acceptsJson } from './negotiate.ts';
import { type CampaignIdRule, parseSendsQuery, type SendsQuery } from './query.ts';

interface Parts {
  readonly pages: Pages;
  readonly campaignIds: CampaignIdRule;
  readonly clock: Clock;
  /** Told of every valid question. */
  readonly onQuery: (req: IncomingMessage, query: SendsQuery) => void;
  /** Told of every page that is answered, before it is. */
  readonly onFound: (req: IncomingMessage, found: Found, nowMs: number) => void;
}

export const sendsPath = '/campaigns/:id/sends';
const methods = 'GET, HEAD, OPTIONS';

/** Handles every method of the resource. Throws Problems for the error handler to answer. */
export function sendsEndpoint({ pages, campaignIds, clock, onQuery, onFound }: Parts): RequestHandler<{ id: string }> {
  return async (req, res) => {
    if (req.method === 'OPTIONS') {
      res.writeHead(204, [...exchangeOf(req).headers, 'Allow', methods]).end();
      return;
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new Problem('method-not-allowed', { allow: methods });
    if (!acceptsJson(req.headers.accept)) throw new Problem('not-acceptable');

    const query = parseSendsQuery(req.params.id, searchOf(req.url), campaignIds);
    onQuery(req, query);
    const maxAgeSeconds = requestedMaxAge(req.headers['cache-control']);
    let found = pages.hit(query, maxAgeSeconds);
    if (!found) {
      const hangUp = new AbortController();
      res.once('close', () => hangUp.abort(callerGone));
      found = await pages.get(query, { signal: hangUp.signal, maxAgeSeconds });
    }
    const now = clock.now();
    onFound(req, found, now);
    answerPage(req, res, exchangeOf(req).headers, found, now);
  };
}

/** The reason with which a wait ends when nobody is there to answer. */
export const callerGone = new Error('the caller has hung up');

function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

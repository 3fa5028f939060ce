/**
 * One request and its answer, as the log and the metrics see it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';

/** Filled in on the way through the rooms; never holds an address, a cursor or a query string. */
export interface Exchange {
  readonly id: string;
  route: string;
  campaign?: string;
  /** How the page was come by, or the code of the problem. */
  cache?: string;
  problem?: string;
  /** Why the upstream failed, out of a closed set. */
  reason?: string | undefined;
}

const exchanges = Symbol('exchange');
type Carrier = IncomingMessage & { [exchanges]?: Exchange };

export function exchangeOf(req: IncomingMessage): Exchange {
  const exchange = (req as Carrier)[exchanges];
  if (!exchange) throw new Error('observeExchanges has to come first');
  return exchange;
}

/** An id from a proxy in front is kept, so that one request can be followed through both logs. */
const idPattern = /^[\w.-]{8,64}$/;

/** Names the request, and writes its line and its metrics when the answer is out or the caller gone. */
export function observeExchanges({ log, metrics, clock }: { log: Logger; metrics: Metrics; clock: Clock }) {
  return (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const startedAt = clock.monotonic();
    const given = req.headers['x-request-id'];
    const exchange: Exchange = {
      id: typeof given === 'string' && idPattern.test(given) ? given : randomUUID(),
      route: '(none)',
    };
    (req as Carrier)[exchanges] = exchange;
    res.setHeader('X-Request-Id', exchange.id);
    res.once('close', () => {
      const ms = clock.monotonic() - startedAt;
      const status = res.writableFinished ? res.statusCode : 499;
      metrics.request(exchange.route, status, exchange.cache ?? 'none', ms / 1000);
      log.info({ ...exchange, method: req.method, status, ms: Math.round(ms * 100) / 100 });
    });
    next();
  };
}

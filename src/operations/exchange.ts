/**
 * One request and its answer, as the log and the metrics see it.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import { noRoute, type RequestTrace, traceRequest } from '../tracing.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { CacheOutcome, StatusBoard } from './status.ts';

/** Filled in on the way through the rooms. */
export interface Exchange {
  readonly id: string;
  /**
   * Headers of the answer, names and values in turn, gathered on the way and written at once with `writeHead`:
   * an answer has two dozen, and setting them one by one was a fifth of a hit's time.
   */
  readonly headers: string[];
  /** What the log tells. Never an address, a cursor or a query string. */
  readonly told: Told;
}

export interface Told {
  route: string;
  team: string;
  campaign?: string;
  /** How the page was come by. */
  cache?: CacheOutcome;
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

interface Parts {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly status: StatusBoard;
  readonly clock: Clock;
  /** Headers of every answer, names and values in turn. */
  readonly headers: readonly string[];
}

/** An id from a proxy in front is kept, so that one request can be followed through both logs. */
const idPattern = /^[\w.-]{8,64}$/;

/**
 * Names the request, begins its headers with `headers`, and writes its line, its metrics and its span when the answer is
 * out or the caller gone. What belongs to the request runs in the trace that is returned.
 */
export function observeExchanges({ log, metrics, status: board, clock, headers }: Parts) {
  return (req: IncomingMessage, res: ServerResponse): RequestTrace => {
    const startedAt = clock.monotonic();
    const given = req.headers['x-request-id'];
    const id = typeof given === 'string' && idPattern.test(given) ? given : randomUUID();
    const told: Told = { route: noRoute, team: 'default' };
    const trace = traceRequest(req);
    (req as Carrier)[exchanges] = { id, headers: ['X-Request-Id', id, ...headers], told };
    res.once('close', () => {
      const ms = clock.monotonic() - startedAt;
      const status = res.writableFinished ? res.statusCode : 499;
      metrics.request(told, status, ms / 1000);
      board.request(told);
      trace.end(told, status);
      log.info({ id, trace: trace.traceId, method: req.method, status, ms: Math.round(ms * 100) / 100, ...told });
    });
    return trace;
  };
}

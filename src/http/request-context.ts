/**
 * One request and its answer, as the log and the metrics see it.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Client } from '../callers/rate-limit/rate-limit.ts';
import type { Clock } from '../clock.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { Told } from '../observability/request-record.ts';
import type { Tally } from '../observability/tally.ts';
import type { Payer } from '../quota/demand.ts';
import { noRoute, type RequestTrace, traceRequest } from '../tracing.ts';
import { closeAfterNewest, keepUntilOver } from './connection.ts';
import { fieldsOf } from './header-block.ts';
import { type ReadyAnswer, wholeAnswer } from './prepared-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/** What exchanges of one server have in common. */
interface Server {
  /** Lines of every answer's head. */
  readonly head: string;
  readonly writer: ResponseWriter;
  /** Called with an exchange that is over. */
  readonly ended: (exchange: Exchange, status: number, method: string | undefined) => void;
}

/** Filled in on the way through the rooms. */
export class Exchange {
  readonly id: string;
  /** Whether the caller has chosen it. */
  readonly isIdGiven: boolean;
  /** Lines of the answer's head, gathered on the way. */
  head: string;
  /** Lines of every answer's head, but for those to documents. */
  common: string;
  /** What the log tells. Never an address, a cursor or a query string. */
  readonly told: Told = {
    route: noRoute,
    team: 'default',
    campaign: undefined,
    cache: undefined,
    problem: undefined,
    reason: undefined,
  };
  /** Who asks; undefined until that is known. */
  client: Client | undefined = undefined;
  readonly startedAt: number;
  readonly trace: RequestTrace;
  readonly #res: ServerResponse;
  readonly #server: Server;
  #isWatched = false;
  #isOver = false;

  constructor(
    givenId: string | undefined,
    startedAt: number,
    trace: RequestTrace,
    res: ServerResponse,
    server: Server,
  ) {
    const id = givenId ?? newId();
    this.id = id;
    this.isIdGiven = givenId !== undefined;
    this.startedAt = startedAt;
    this.trace = trace;
    // An id is ours or has passed the pattern: there is nothing to check any more.
    this.head = `X-Request-Id: ${id}\r\n`;
    this.common = server.head;
    this.#res = res;
    this.#server = server;
  }

  /** A whole answer. */
  answer(status: number, lines: string, content?: Buffer): void {
    this.answerReady(wholeAnswer(status, `${this.common}${lines}`, content), '');
  }

  /** A whole answer of which most is ready: also what is common to all. */
  answerReady(ready: ReadyAnswer, lines: string): void {
    closeAfterNewest(this.#res);
    this.#server.writer.write(this.#res, ready, `${this.head}${lines}`);
    // What the system has taken at once is out: the event that says so need not be waited for.
    if (!this.#isWatched && this.#res.socket?.writableLength === 0) this.#end(ready.status);
    else this.watch();
  }

  /** Whether a response has begun: another one cannot be given. */
  get hasBegun(): boolean {
    return this.#res.headersSent;
  }

  /** Closes the connection, unless the response is complete. */
  breakOff(): void {
    if (this.#isOver) return;
    this.watch();
    this.#res.destroy();
  }

  /** The head of an answer whose content is streamed. */
  begin(status: number, lines: string): void {
    closeAfterNewest(this.#res);
    this.#res.writeHead(status, fieldsOf(`${this.head}${this.common}${lines}`));
  }

  /** Goes with a request that takes its time: middleware finds it there. Waits for its end, or for the caller to go. */
  watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const res = this.#res;
    (res.req as Carrier)[exchanges] = this;
    keepUntilOver(res);
    // It finishes also where its connection was destroyed under it.
    let isSent = false;
    res.once('finish', () => {
      isSent = !res.req.socket.destroyed;
    });
    res.once('close', () => this.#end(isSent ? res.statusCode : 499));
  }

  /** Once, whatever fails on the way. */
  #end(status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#server.ended(this, status, this.#res.req.method);
  }
}

const exchanges = Symbol('exchange');
type Carrier = IncomingMessage & { [exchanges]?: Exchange };

export function exchangeOf(req: IncomingMessage): Exchange {
  const exchange = (req as Carrier)[exchanges];
  if (!exchange) throw new Error('its exchange has to be watched');
  return exchange;
}

/** On whose account a request may cause calls. */
export function payerOf(req: IncomingMessage): Payer {
  const { told, client } = exchangeOf(req);
  return { team: told.team, client: client?.name };
}

/** An id from a proxy in front is kept, so that one request can be followed through both logs. */
const idPattern = /^[\w.-]{8,64}$/;

const idLength = 32;
const idsAtOnce = 256;
let ids = '';
let nextId = 0;

/** 128 random bits in hex. Cut out of one text for many: a UUID is put together of twenty pieces, a fifteenth of a hit. */
function newId(): string {
  if (nextId === ids.length) {
    ids = randomBytes(idsAtOnce * (idLength / 2)).toString('hex');
    nextId = 0;
  }
  nextId += idLength;
  return ids.slice(nextId - idLength, nextId);
}

interface Parts extends Pick<Server, 'head' | 'writer'> {
  readonly log: AccessLog;
  readonly tally: Tally;
  readonly clock: Clock;
}

/**
 * Names a request. When its answer is out or the caller gone, its line, its span and its part of the metrics are written.
 */
export function observeExchanges({ log, tally, clock, head, writer }: Parts) {
  const ended = ({ id, isIdGiven, startedAt, trace, told }: Exchange, status: number, method: string | undefined) => {
    const ms = clock.monotonic() - startedAt;
    tally.add(told, status, ms / 1000);
    log({ id, isIdGiven, trace: trace.traceId, method, status, ms, told });
    trace.end(told, status); // Last: what an SDK does with a span may fail.
  };
  const server: Server = { head, writer, ended };

  return (req: IncomingMessage, res: ServerResponse): Exchange => {
    const startedAt = clock.monotonic();
    const given = req.headers['x-request-id'];
    const givenId = typeof given === 'string' && idPattern.test(given) ? given : undefined;
    return new Exchange(givenId, startedAt, traceRequest(req), res, server);
  };
}

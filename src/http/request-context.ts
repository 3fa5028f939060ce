/**
 * Per-request state: id, caller, log fields and the header lines of the response. Handlers fill it in.
 */
import { randomFillSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { RequestRecord } from '../observability/request-record.ts';
import type { Tally } from '../observability/tally.ts';
import { problems } from '../problems.ts';
import type { Payer } from '../quota/demand.ts';
import { noRoute, type RequestTrace, traceRequest } from '../tracing.ts';
import { closeAfterNewest, keepUntilOver } from './connection.ts';
import { fieldsOf } from './header-block.ts';
import { type PreparedResponse, wholeResponse } from './prepared-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/** Identity of a caller. */
export interface Identity {
  /** Name of its team. */
  readonly team: string;
  /** Its client in the team: team and network. */
  readonly client: string;
}

/** Header lines of every response; replaced when the configuration changes. */
export interface CommonLines {
  lines: string;
}

/** State shared by the requests of a server. */
interface Server {
  /** Header lines of every response. */
  readonly common: CommonLines;
  readonly writer: ResponseWriter;
  /** Called once per request, when its response is complete or its client has disconnected. */
  readonly ended: (context: RequestContext, status: number, method: string | undefined) => void;
}

export class RequestContext {
  readonly id: string;
  /** Whether the caller chose the id. */
  readonly isIdGiven: boolean;
  /** Header lines of this response, gathered by handlers. */
  ownLines: string;
  /** Header lines of all responses of this kind. */
  commonLines: string;
  readonly record: RequestRecord = {
    route: noRoute,
    team: 'default',
    report: undefined,
    campaign: undefined,
    cache: undefined,
    problem: undefined,
    reason: undefined,
  };
  readonly startedAt: number;
  readonly trace: RequestTrace;
  readonly #res: ServerResponse;
  readonly #server: Server;
  #identity: Identity | undefined = undefined;
  #isWatched = false;
  #isOver = false;
  /** nginx's status of a client that disconnected, unless Sendgate itself broke the response off. */
  #statusIfIncomplete = 499;

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
    // Safe without validation: the id is generated or matches the pattern.
    this.ownLines = `X-Request-Id: ${id}\r\n`;
    this.commonLines = server.common.lines;
    this.#res = res;
    this.#server = server;
  }

  /** Records the identity. Until then, reading it throws. */
  identify(identity: Identity): void {
    this.#identity = identity;
    this.record.team = identity.team;
  }

  /** @throws Error before the caller is identified, as in a route mounted ahead of the guards */
  get identity(): Identity {
    if (!this.#identity) throw new Error('the caller of this request has not been identified');
    return this.#identity;
  }

  /** Writes a whole response. */
  answer(status: number, lines: string, content?: Buffer): void {
    this.answerReady(wholeResponse(status, `${this.commonLines}${lines}`, content), '');
  }

  /** Writes a prepared response, which includes the common lines. */
  answerReady(ready: PreparedResponse, lines: string): void {
    closeAfterNewest(this.#res);
    this.#server.writer.write(this.#res, ready, `${this.ownLines}${lines}`);
    // The system has accepted all bytes: no need to wait for the event.
    if (!this.#isWatched && this.#res.socket?.writableLength === 0) this.#end(ready.status);
    else this.watch();
  }

  /** Whether a response has begun, which rules out another one. */
  get hasBegun(): boolean {
    return this.#res.headersSent;
  }

  /** Counts the response with this status if it stays incomplete: Sendgate itself is about to close the connection. */
  failWith(status: number): void {
    this.#statusIfIncomplete = status;
  }

  /** Closes the connection after an internal error, unless the response is complete. */
  breakOff(): void {
    if (this.#isOver) return;
    this.watch();
    this.record.problem = 'internal-error';
    this.failWith(problems['internal-error'].status);
    this.#res.destroy();
  }

  /** Writes the header of a response whose content is streamed. */
  begin(status: number, lines: string): void {
    closeAfterNewest(this.#res);
    this.#res.writeHead(status, fieldsOf(`${this.ownLines}${this.commonLines}${lines}`));
  }

  /** Attaches this context to its request for middleware, and waits for the end of the response or the client's disconnect. */
  watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const res = this.#res;
    (res.req as Carrier)[contextKey] = this;
    keepUntilOver(res);
    // `finish` also fires after the connection was destroyed.
    let isSent = false;
    res.once('finish', () => {
      isSent = !res.req.socket.destroyed;
    });
    res.once('close', () => this.#end(isSent ? res.statusCode : this.#statusIfIncomplete));
  }

  /** Ends the request once, whatever fails before. */
  #end(status: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#server.ended(this, status, this.#res.req.method);
  }
}

const contextKey = Symbol('context');
type Carrier = IncomingMessage & { [contextKey]?: RequestContext };

export function contextOf(req: IncomingMessage): RequestContext {
  const context = (req as Carrier)[contextKey];
  if (!context) throw new Error('the context of this request is not watched');
  return context;
}

/**
 * Returns the team and client that pay for the calls of a request.
 *
 * @throws Error before its caller is identified
 */
export function payerOf(req: IncomingMessage): Payer {
  return contextOf(req).identity;
}

/** Ids accepted from callers and proxies, so that one request can be traced through several logs. */
const idPattern = /^[\w.-]{8,64}$/;

/** Random bytes for many ids: drawing them for each, or making a UUID, takes 3 % of a hit and more. */
const idBytes = 16;
const pool = Buffer.alloc(256 * idBytes);
let used = pool.length;

/** 128 random bits in 32 hex digits. */
function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += idBytes;
  return pool.toString('hex', used - idBytes, used);
}

interface Parts extends Pick<Server, 'common' | 'writer'> {
  readonly log: AccessLog;
  readonly tally: Tally;
  readonly clock: Clock;
}

/** Makes the context of each request. Logs, counts and traces it when its response is complete or its client has disconnected. */
export function trackRequests({ log, tally, clock, common, writer }: Parts) {
  const ended = (
    { id, isIdGiven, startedAt, trace, record }: RequestContext,
    status: number,
    method: string | undefined,
  ) => {
    const ms = clock.monotonic() - startedAt;
    tally.add(record, status, ms / 1000);
    log({ id, isIdGiven, trace: trace.traceId, method, status, ms, record });
    trace.end(record, status); // Last, since an SDK may throw.
  };
  const server: Server = { common, writer, ended };

  return (req: IncomingMessage, res: ServerResponse): RequestContext => {
    const startedAt = clock.monotonic();
    const given = req.headers['x-request-id'];
    const givenId = typeof given === 'string' && idPattern.test(given) ? given : undefined;
    return new RequestContext(givenId, startedAt, traceRequest(req), res, server);
  };
}

/**
 * Per-request state: id, caller, log fields and the header lines of the response. Handlers fill it in.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { RequestRecord } from '../observability/request-record.ts';
import type { Tally } from '../observability/tally.ts';
import type { Payer } from '../quota/demand.ts';
import { noRoute, type RequestTrace, traceRequest } from '../tracing.ts';
import { closeAfterNewest, keepUntilOver } from './connection.ts';
import { fieldsOf } from './header-block.ts';
import { type PreparedResponse, wholeResponse } from './prepared-response.ts';
import type { ResponseWriter } from './response-writer.ts';

/** Who makes a request. */
export interface Identity {
  /** Name of its team. */
  readonly team: string;
  /** Which of the team's clients it is: team and network. */
  readonly client: string;
}

/** What the requests of one server have in common. */
interface Server {
  /** Header lines of every response. */
  readonly commonLines: string;
  readonly writer: ResponseWriter;
  /** Called once for each request, when its response is complete or its client gone. */
  readonly ended: (context: RequestContext, status: number, method: string | undefined) => void;
}

export class RequestContext {
  readonly id: string;
  /** Whether the caller has chosen the id. */
  readonly isIdGiven: boolean;
  /** Header lines of this response, gathered by handlers. */
  ownLines: string;
  /** Header lines of every response of this kind. */
  commonLines: string;
  readonly record: RequestRecord = {
    route: noRoute,
    team: 'default',
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
    // The id is ours or has passed the pattern: it needs no check.
    this.ownLines = `X-Request-Id: ${id}\r\n`;
    this.commonLines = server.commonLines;
    this.#res = res;
    this.#server = server;
  }

  /** Records who asks. Until then a request has no identity, and what needs one fails. */
  identify(identity: Identity): void {
    this.#identity = identity;
    this.record.team = identity.team;
  }

  /** @throws Error before the caller is identified, as in a route that is mounted ahead of the guards */
  get identity(): Identity {
    if (!this.#identity) throw new Error('the caller of this request has not been identified');
    return this.#identity;
  }

  /** Writes a whole response. */
  answer(status: number, lines: string, content?: Buffer): void {
    this.answerReady(wholeResponse(status, `${this.commonLines}${lines}`, content), '');
  }

  /** Writes a prepared response, which has the common lines already. */
  answerReady(ready: PreparedResponse, lines: string): void {
    closeAfterNewest(this.#res);
    this.#server.writer.write(this.#res, ready, `${this.ownLines}${lines}`);
    // The system has taken all bytes: the event that says so need not be waited for.
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

  /** Writes the header of a response whose content is streamed. */
  begin(status: number, lines: string): void {
    closeAfterNewest(this.#res);
    this.#res.writeHead(status, fieldsOf(`${this.ownLines}${this.commonLines}${lines}`));
  }

  /** Attaches this state to its request, where middleware finds it, and waits for the end of the response or the client's disconnect. */
  watch(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const res = this.#res;
    (res.req as Carrier)[contextKey] = this;
    keepUntilOver(res);
    // `finish` comes also after the connection was destroyed.
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

const contextKey = Symbol('context');
type Carrier = IncomingMessage & { [contextKey]?: RequestContext };

export function contextOf(req: IncomingMessage): RequestContext {
  const context = (req as Carrier)[contextKey];
  if (!context) throw new Error('the context of this request is not watched');
  return context;
}

/**
 * On whose account a request may cause calls.
 *
 * @throws Error before its caller is identified
 */
export function payerOf(req: IncomingMessage): Payer {
  return contextOf(req).identity;
}

/** Ids that are accepted from callers and proxies, so that one request can be followed through several logs. */
const idPattern = /^[\w.-]{8,64}$/;

/** 122 random bits, in 32 hex digits. Node draws the bits for many UUIDs at once: `randomBytes` would take a sixth of a hit. */
const newId = () => randomUUID().replaceAll('-', '');

interface Parts extends Pick<Server, 'commonLines' | 'writer'> {
  readonly log: AccessLog;
  readonly tally: Tally;
  readonly clock: Clock;
}

/** Makes the state of each request. When the response is complete or the client gone, logs, counts and traces it. */
export function trackRequests({ log, tally, clock, commonLines, writer }: Parts) {
  const ended = (
    { id, isIdGiven, startedAt, trace, record }: RequestContext,
    status: number,
    method: string | undefined,
  ) => {
    const ms = clock.monotonic() - startedAt;
    tally.add(record, status, ms / 1000);
    log({ id, isIdGiven, trace: trace.traceId, method, status, ms, record });
    trace.end(record, status); // Last: what an SDK does with a span may fail.
  };
  const server: Server = { commonLines, writer, ended };

  return (req: IncomingMessage, res: ServerResponse): RequestContext => {
    const startedAt = clock.monotonic();
    const given = req.headers['x-request-id'];
    const givenId = typeof given === 'string' && idPattern.test(given) ? given : undefined;
    return new RequestContext(givenId, startedAt, traceRequest(req), res, server);
  };
}

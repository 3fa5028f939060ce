/**
 * The node:http server under the application, with every bound set explicitly. Requests that node:http rejects get a problem
 * like any other.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Express } from 'express';
import { type Clock, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { connectionOf } from './connection.ts';
import { type ConnectionLimits, Connections, maxAsked } from './connections.ts';
import { allowedMethods } from './methods.ts';
import { afterSending, endAfterReading, isBodyOpen, problemOf, responseOn } from './parser-errors.ts';

export interface ServerOptions extends ConnectionLimits {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longer than the idle timeout of a balancer in front, so that the server never closes first. */
  readonly keepAliveTimeoutMs: number;
  readonly clock: Clock;
}

/** A received request. */
export interface Received {
  /** Waits for the end of its response in any case. */
  watch(): void;
}

/** Handles the requests of a server. */
export interface Listener<R extends Received> {
  /** Called when a request arrives; `answer` may follow later. */
  receive(req: IncomingMessage, res: ServerResponse): R;
  answer(req: IncomingMessage, res: ServerResponse, received: R): void;
  /** Answers a request that the server refuses. */
  refuse(res: ServerResponse, received: R, problem: Problem): void;
}

export interface Server {
  /** Resolves with the base URL once connections are accepted; rejects when the address cannot be bound. */
  listen(host: string, port: number): Promise<string>;
  /** Keeps accepting, but makes responses from now on the last of their connections. */
  startDraining(): void;
  /**
   * Stops accepting and finishes requests in flight. Closes connections that never had a request first, idle ones next, and those
   * with part of a request two seconds later. Cuts off the rest after `timeoutMs`.
   *
   * @param cutOff called before the rest is cut off
   */
  drain(timeoutMs: number, cutOff?: () => void): Promise<void>;
}

/** Bytes of the request line and headers. A cursor of 2,048 characters takes at worst 6 KiB when encoded. */
const maxHeaderSize = 16 * 1024;

/** node:http silently drops headers after the thousandth, even if a proxy appended them, so the limit is far below. */
const maxHeaders = 200;

/** Unanswered requests after which a client that ignores the refusal is disconnected. */
const maxKept = 1_000;

/**
 * How long idle connections stay open once nothing is in flight: a request may be on its way and still gets an answer, with
 * `Connection: close`.
 */
const graceMs = 500;

/** How long a partly received header may take to arrive once nothing is in flight. */
const arrivalMs = 2_000;

/** Interval of checks while the server drains. */
const sweepMs = 50;

/**
 * Creates requests and responses with Express's prototypes. Otherwise Express sets them on each object, after which V8 treats all
 * of them as objects of unknown shape: a quarter of a hit, although no hit passes Express.
 */
export function createServer<R extends Received>(app: Express, listener: Listener<R>, options: ServerOptions): Server {
  class Request extends http.IncomingMessage {}
  class Response<M extends http.IncomingMessage = Request> extends http.ServerResponse<M> {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as unknown as Express['request'];
  app.response = Response.prototype as unknown as Express['response'];
  return serve(listener, options, { IncomingMessage: Request, ServerResponse: Response });
}

/** Makes a server with every timeout and bound set explicitly. */
export function serve<R extends Received>(
  listener: Listener<R>,
  options: ServerOptions,
  classes: Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'> = {},
): Server {
  const { clock, headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = options;
  const connections = new Connections(options, clock);

  const refuse = (res: ServerResponse, received: R, problem: Problem) => {
    res.shouldKeepAlive = false;
    listener.refuse(res, received, problem);
  };
  const take = (req: IncomingMessage, res: ServerResponse, problem: Problem | undefined) => {
    const connection = connectionOf(req);
    if (connection && !(connection.hasRoom && connection.asked < maxKept)) return void connection.socket.destroy();
    const received = listener.receive(req, res);
    if (connection?.isFree && problem === undefined) return listener.answer(req, res, received);
    received.watch();
    if (!connection || connection.isClosing) return; // The request ends with its connection.
    const fault = connection.asked > maxAsked ? tooManyAsked() : problem;
    if (fault !== undefined) connection.isClosing = true;
    connection.begin(res, () => (fault ? refuse(res, received, fault) : listener.answer(req, res, received)));
  };
  /** Refuses input for which node:http makes no response. Answers after the responses in progress and closes the connection. */
  const refuseLast = (socket: Socket, problem: Problem, given?: IncomingMessage) => {
    const connection = connectionOf({ socket });
    if (!connection) return void socket.destroy();
    connection.isClosing = true;
    const answer = () => {
      if (!socket.writable) return void socket.destroy();
      const res = responseOn(socket, clock, given);
      const received = listener.receive(res.req, res);
      received.watch();
      refuse(res, received, problem);
    };
    connection.afterAll(() => afterSending(socket, answer));
  };

  const server = http.createServer(
    {
      ...classes,
      maxHeaderSize,
      // By default node:http drops a repeated header. Joined, the two match nothing.
      joinDuplicateHeaders: true,
      requireHostHeader: false, // Checked below, where the refusal is a problem.
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      // Node checks for timed-out connections every 30 s by default, which would be the effective timeout.
      connectionsCheckingInterval: Math.min(headersTimeoutMs, 2_000),
    },
    (req, res) => take(req, res, faultOf(req)),
  );
  // Not `server.maxConnections`: a full worker of node:cluster hands connections back to the primary, and when all workers are
  // full they circulate and burn CPU.
  server.prependListener('connection', (socket) => connections.accept(socket));
  server.on('checkContinue', (req, res) => {
    // Into a response that is queued, node:http would write it between header and content; the final one is enough there.
    if (connectionOf(req)?.isFree && res.socket) res.writeContinue();
    take(req, res, faultOf(req));
  });
  server.on('checkExpectation', (req, res) => take(req, res, new Problem('expectation-failed')));
  server.on('connect', (req, socket) => {
    socket.on('error', () => {});
    connectionOf(req)?.lookAfterSocket();
    refuseLast(socket as Socket, new Problem('method-not-allowed', { allow: allowedMethods }), req);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const connection = connectionOf({ socket });
    const problem = problemOf(error);
    const isUnused = socket.bytesRead === 0;
    if (!connection || !problem || isUnused) return void socket.destroy(error);
    if (connection.isClosing) return;
    if (!isBodyOpen(socket)) return refuseLast(socket, problem);
    connection.isClosing = true; // The request has its own answer.
    connection.afterAll(() => endAfterReading(socket, clock));
  });

  return {
    listen: (host, port) => listen(server, host, port),
    startDraining: () => connections.startDraining(),
    drain: async (timeoutMs, cutOff = () => {}) => {
      connections.startDraining();
      // Not http's own `close`, which closes idle connections first.
      const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
      const finished = new AbortController();
      const sweep = (async () => {
        const deadline = clock.monotonic() + timeoutMs;
        while (!finished.signal.aborted && clock.monotonic() < deadline) {
          const quietMs = Math.min(graceMs, timeoutMs / 2);
          connections.closeUnusedFor(quietMs);
          if (connections.isQuietFor(quietMs)) server.closeIdleConnections();
          if (connections.isQuietFor(arrivalMs)) break;
          await sleep(clock, sweepMs, finished.signal).catch(() => {});
        }
        cutOff();
        connections.closeAll();
      })();
      await closed;
      finished.abort();
      await sweep;
      server.close(() => {}); // Ends node:http's own timer.
    },
  };
}

function tooManyAsked(): Problem {
  const detail = `More than ${maxAsked} requests wait for their answers on this connection. Read some of the answers first.`;
  return new Problem('rate-limited', { detail, retryAfterSeconds: 1 });
}

/** Returns the problem of a request's headers, if any. */
function faultOf({ rawHeaders, headers, httpVersionMinor }: IncomingMessage): Problem | undefined {
  if (rawHeaders.length > 2 * maxHeaders) {
    return new Problem('headers-too-large', { detail: `Send at most ${maxHeaders} headers.` });
  }
  const { host } = headers;
  // RFC 9112 §3.2: exactly one Host; HTTP/1.0 knows none.
  const isHostProper = host === undefined ? httpVersionMinor === 0 : !host.includes(',');
  return isHostProper ? undefined : new Problem('malformed-request', { detail: 'Send exactly one `Host` header.' });
}

/** Resolves with the base URL once connections are accepted; rejects when the address cannot be bound. */
export function listen(server: http.Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      const address = server.address();
      const bound = typeof address === 'object' && address ? address.port : port;
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${bound}`);
    });
  });
}

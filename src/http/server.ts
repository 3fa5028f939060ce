/**
 * The node:http server under the application, with every bound set on purpose: what it refuses by itself is answered as
 * everything else is.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as NetServer, type Socket } from 'node:net';
import type { Express } from 'express';
import { type Clock, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { connectionOf } from './connection.ts';
import { type ConnectionLimits, Connections } from './connections.ts';
import { allowedMethods } from './methods.ts';
import { afterSending, endAfterReading, isBodyOpen, problemOf, responseOn } from './parser-errors.ts';

export interface ServerOptions extends ConnectionLimits {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longer than the idle timeout of a balancer in front, so that it is never the server that closes first. */
  readonly keepAliveTimeoutMs: number;
  readonly clock: Clock;
}

/** A request that has come. */
export interface Received {
  /** Waits for the end of its answer, however that comes. */
  watch(): void;
}

/** What a server does with requests. */
export interface Listener<R extends Received> {
  /** A request has come; its turn may be later. */
  receive(req: IncomingMessage, res: ServerResponse): R;
  answer(req: IncomingMessage, res: ServerResponse, received: R): void;
  /** Answers one that the server refuses by itself. */
  refuse(res: ServerResponse, received: R, problem: Problem): void;
}

export interface Server {
  /** Resolves with the base URL once connections are accepted; rejects when the address cannot be bound. */
  listen(host: string, port: number): Promise<string>;
  /** Goes on accepting, but answers from now on are the last of their connections. */
  startDraining(): void;
  /**
   * Stops accepting and lets what is in flight finish. Connections without a request are closed at once, idle ones last, and
   * those on which part of a request has come two seconds after that. Cuts off what is left after `timeoutMs`.
   *
   * @param cutOff called before that
   */
  drain(timeoutMs: number, cutOff?: () => void): Promise<void>;
}

/** Bytes of a request's line and headers. A cursor of 2,048 characters, encoded, takes 6 KiB at the worst. */
const maxHeaderSize = 16 * 1024;

/** Those past the thousandth node:http drops silently, also where a proxy has appended them: so fewer are too many. */
const maxHeaders = 200;

/** Requests of one connection that are not answered yet. Clients that pipeline at all send ten or so. */
const maxAsked = 100;

/** With as many, it sends without reading the refusal that ends its connection: nothing more of it is kept. */
const maxKept = 1_000;

/**
 * How long idle connections stay open once nothing is in flight: a request may be on its way on one of them, and is
 * answered with `Connection: close`.
 */
const graceMs = 500;

/** How long the rest of a request line or of its headers may take to arrive once nothing is in flight. */
const arrivalMs = 2_000;

/** How often it is looked whether a server that drains is quiet. */
const sweepMs = 50;

/**
 * Express sets the prototype of every request and response to its own, and V8 then takes all of them for objects of unknown shape: a
 * quarter of a hit, although no hit passes Express. Here they are made with that prototype, so that Express has none to set.
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

/** A server with every timeout and bound set on purpose. */
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
    if (connection && connection.asked >= maxKept) return void connection.socket.destroy();
    const received = listener.receive(req, res);
    if (connection?.isFree && problem === undefined) return listener.answer(req, res, received);
    received.watch();
    if (!connection || connection.isClosing) return; // It ends with the connection.
    const fault = connection.asked > maxAsked ? tooManyAsked() : problem;
    if (fault !== undefined) connection.isClosing = true;
    connection.begin(res, () => (fault ? refuse(res, received, fault) : listener.answer(req, res, received)));
  };
  /** For what node:http makes no response. Answers behind what is in progress on the connection, and closes it. */
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
      // Of a header that comes twice, node:http would drop the second one: here the two are one that fits nothing.
      joinDuplicateHeaders: true,
      requireHostHeader: false, // It is required below, where the answer is a problem.
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      // Node looks for connections over their time every 30 s by default, which would be the real timeout.
      connectionsCheckingInterval: Math.min(headersTimeoutMs, 2_000),
    },
    (req, res) => take(req, res, faultOf(req)),
  );
  // Not `server.maxConnections`: in a worker of node:cluster that hands a connection back to the primary, and where all
  // workers are full it goes round and round, and takes the processor with it.
  server.prependListener('connection', (socket) => connections.accept(socket));
  server.on('checkContinue', (req, res) => {
    // Into a response that is queued, node:http would write it between header and content; the final one is enough there.
    if (connectionOf(req)?.isFree && res.socket) res.writeContinue();
    take(req, res, faultOf(req));
  });
  server.on('checkExpectation', (req, res) => take(req, res, new Problem('expectation-failed')));
  server.on('connect', (req, socket) => {
    socket.on('error', () => {});
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
      // Not http's own, which closes idle connections first.
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
  const detail = `More than ${maxAsked} requests wait for their answers on this connection. Wait for some of them first.`;
  return new Problem('rate-limited', { detail, retryAfterSeconds: 1 });
}

/** What is wrong with the headers of a request, whatever it asks for. */
function faultOf({ rawHeaders, headers, httpVersionMinor }: IncomingMessage): Problem | undefined {
  if (rawHeaders.length > 2 * maxHeaders) {
    return new Problem('headers-too-large', { detail: `A request has at most ${maxHeaders} headers.` });
  }
  const { host } = headers;
  // RFC 9112 §3.2: exactly one Host; HTTP/1.0 knows none.
  const isHostProper = host === undefined ? httpVersionMinor === 0 : !host.includes(',');
  return isHostProper ? undefined : new Problem('malformed-request', { detail: 'A request has exactly one `Host`.' });
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

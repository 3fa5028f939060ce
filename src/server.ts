/**
 * The node:http server under the application.
 */
import http from 'node:http';
import type { Express } from 'express';
import { type Clock, sleep } from './clock.ts';

export interface ServerOptions {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longer than the idle timeout of a balancer in front, so that it is never the server that closes first. */
  readonly keepAliveTimeoutMs: number;
  /** One more is closed at once. */
  readonly maxConnections: number;
  /** Told of each one that is closed, and how many there may be. */
  readonly onTooMany?: (maxConnections: number) => void;
}

/** Bytes of a request's line and headers. A cursor of 2,048 characters, encoded, takes 6 KiB at the worst. */
const maxHeaderSize = 16 * 1024;

/**
 * Express sets the prototype of every request and response to its own, which throws V8's knowledge of their shape
 * away. Here they are born with it, so that there is nothing to swap when `listener` hands one to `app`.
 */
export function createServer(app: Express, listener: http.RequestListener, options: ServerOptions): http.Server {
  class Request extends http.IncomingMessage {}
  class Response<R extends http.IncomingMessage = Request> extends http.ServerResponse<R> {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as unknown as Express['request'];
  app.response = Response.prototype as unknown as Express['response'];
  return bounded({ IncomingMessage: Request, ServerResponse: Response }, options, listener);
}

/** A server with every timeout and bound set on purpose. */
export function bounded(
  classes: Pick<http.ServerOptions, 'IncomingMessage' | 'ServerResponse'>,
  { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, maxConnections, onTooMany = () => {} }: ServerOptions,
  listener: http.RequestListener,
): http.Server {
  const server = http.createServer(
    {
      ...classes,
      maxHeaderSize,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      // Node looks for connections over their time every 30 s by default, which would be the real timeout.
      connectionsCheckingInterval: Math.min(headersTimeoutMs, 2_000),
    },
    listener,
  );
  closeBeyond(maxConnections, server, onTooMany);
  return server;
}

/**
 * Closes connections that are too many. Not `server.maxConnections`: in a worker of node:cluster that hands a connection
 * back to the primary, and where all workers are full it goes round and round, and takes the processor with it.
 */
function closeBeyond(maxConnections: number, server: http.Server, onTooMany: (maxConnections: number) => void): void {
  let open = 0;
  server.prependListener('connection', (socket) => {
    if (open >= maxConnections) {
      socket.destroy();
      onTooMany(maxConnections);
      return;
    }
    open++;
    socket.once('close', () => open--);
  });
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

/** How often connections that have become idle are looked for. */
const sweepMs = 50;

/**
 * Stops accepting, lets what is in flight finish, and cuts off what is left after `timeoutMs`.
 *
 * @param cutOff told before that
 */
export async function drain(
  server: http.Server,
  timeoutMs: number,
  clock: Clock,
  cutOff: () => void = () => {},
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const finished = new AbortController();
  const sweep = (async () => {
    const deadline = clock.monotonic() + timeoutMs;
    while (!finished.signal.aborted && clock.monotonic() < deadline) {
      server.closeIdleConnections();
      await sleep(clock, sweepMs, finished.signal).catch(() => {});
    }
    cutOff();
    server.closeAllConnections();
  })();
  await closed;
  finished.abort();
  await sweep;
}

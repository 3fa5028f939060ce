/**
 * Connects to Constant Contact through a forward proxy (CONNECT, RFC 9110 §9.3.6). Decision 52 says why no library does it.
 */
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OutboundProxy } from '../config/outbound-proxy.ts';

const codePattern = /^[A-Z0-9_]{3,32}$/;

/**
 * What went wrong between Sendgate and the proxy, with nothing of what the proxy said: `PROXY_407` (its status), `PROXY_TIMEOUT`,
 * `PROXY_ECONNREFUSED` (Node's code, also of TLS and of the HTTP parser) or `PROXY_UNKNOWN`.
 */
class TunnelError extends Error {
  readonly code: string;

  constructor(what: string | undefined) {
    super('no tunnel through the proxy');
    this.code = what !== undefined && codePattern.test(what) ? `PROXY_${what}` : 'PROXY_UNKNOWN';
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
}

type Done = (error: Error | null, socket?: Duplex | null) => void;

/** Node's agent for https:, with its pool of idle connections: each connection is a tunnel. */
export class TunnelAgent extends https.Agent {
  readonly #proxy: OutboundProxy;
  readonly #timeoutMs: number;
  readonly #pending = new Set<http.ClientRequest>();

  /** @param timeoutMs until the tunnel is there */
  constructor(options: https.AgentOptions, proxy: OutboundProxy, timeoutMs: number) {
    super(options);
    this.#proxy = proxy;
    this.#timeoutMs = timeoutMs;
  }

  override createConnection(options: https.RequestOptions, done: Done): undefined {
    this.#open(options as Target, (error, socket) => {
      if (error) return done(error);
      const throughTunnel: https.RequestOptions & { readonly socket: typeof socket } = { ...options, socket };
      done(null, super.createConnection(throughTunnel));
    });
  }

  override destroy(): void {
    super.destroy();
    for (const request of this.#pending) request.destroy();
  }

  #open({ host, port }: Target, done: Done): void {
    const request = connectRequest(this.#proxy, `${isIP(host) === 6 ? `[${host}]` : host}:${port}`);
    this.#pending.add(request);
    const timer = setTimeout(() => end(new TunnelError('TIMEOUT')), this.#timeoutMs);
    const end = (error: TunnelError | null, socket?: Duplex) => {
      clearTimeout(timer);
      if (!this.#pending.delete(request)) return;
      if (error) request.destroy();
      done(error, socket);
    };
    request.on('error', (error: NodeJS.ErrnoException) => end(new TunnelError(error.code)));
    request.once('connect', ({ statusCode = 0 }, socket, head) => {
      const isOpen = statusCode >= 200 && statusCode < 300;
      if (isOpen && head.length === 0) return end(null, socket);
      socket.destroy();
      // Behind an open tunnel is a TLS server, which never speaks first.
      end(new TunnelError(isOpen ? 'EARLY_DATA' : String(statusCode)));
    });
    request.end();
  }
}

function connectRequest({ isTls, host, port, authorization }: OutboundProxy, target: string): http.ClientRequest {
  return (isTls ? https : http).request({
    ...{ host, port, method: 'CONNECT', path: target, agent: false, setHost: false },
    // By default, Node takes the name that the proxy's certificate must have from the Host header.
    ...(isTls && { servername: isIP(host) > 0 ? '' : host }),
    headers: {
      host: target,
      connection: 'keep-alive',
      ...(authorization !== undefined && { 'proxy-authorization': authorization }),
    },
  });
}

/**
 * Sends one HTTP request to Constant Contact: bounded in time and size. Never follows redirects, never quotes the request in
 * errors.
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Attributes } from '@opentelemetry/api';
import fetch, { AbortError, FetchError, type Response } from 'node-fetch';
import { nameOf, type OutboundProxy } from '../config/outbound-proxy.ts';
import { isTunnelCode } from '../config/tunnel-code.ts';
import { Problem } from '../problems.ts';
import type { Reply, UpstreamRequest } from './adapter.ts';
import { TunnelAgent } from './tunnel-agent.ts';

export interface TransportOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  /** Largest body after decompression, in bytes. */
  readonly maxResponseBytes: number;
  /** The proxy on the way to an https: URL; undefined to connect directly. */
  readonly proxy?: OutboundProxy | undefined;
  /** Time limit of one request, in milliseconds; a proxy has most of it to connect. */
  readonly timeoutMs: number;
  /** Called with every reply to `send`, and how long it took. */
  readonly onReply?: (reply: Reply, tookMs: number) => void;
}

/** The readable part of a response. */
export interface Salvaged {
  readonly status: number;
  readonly body: string;
  /** Why the rest is missing: the error that `send` would throw. */
  readonly failure: Error | undefined;
}

/** Refused, or no address: never said of a connection that was there before. */
const noConnection: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** A network failure that may pass. Retrying is safe for a GET. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  /** Node's error code, such as ECONNREFUSED or CERT_HAS_EXPIRED: enough for an operator, without the message. */
  readonly code: string;
  /** Host and port of the proxy that did not connect: `code` is then about it, such as PROXY_407. */
  readonly proxy: string | undefined;

  /** Whether there certainly was no connection to Constant Contact. */
  get isUnsent(): boolean {
    return this.proxy !== undefined || noConnection.has(this.code);
  }

  constructor(code: string, proxy?: string) {
    super('the connection to Constant Contact failed');
    this.code = code;
    this.proxy = proxy;
  }
}

/**
 * A proxy has this part of the time limit to connect. A proxy that hangs is then named as the cause, before the whole request is
 * late.
 */
const partToConnect = 0.8;

const codePattern = /^[A-Z][A-Z0-9_]{2,40}$/;

export class Transport {
  readonly #options: TransportOptions;
  readonly #agent: http.Agent | https.Agent;
  readonly #server: URL;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#server = new URL(options.baseUrl);
    const { proxy, timeoutMs } = options;
    const pool = { keepAlive: true, maxFreeSockets: 4 };
    if (proxy) this.#agent = new TunnelAgent(pool, proxy, timeoutMs * partToConnect);
    else this.#agent = new (options.baseUrl.startsWith('https:') ? https : http).Agent(pool);
  }

  /**
   * Sends a GET, or a POST if there is a form. Resolves with any status except a redirect, within `timeoutMs` for request and
   * response.
   *
   * @throws Problem `upstream-timeout`, or `upstream-failed` for a redirect or an oversized body
   * @throws ConnectionFailure if the connection fails or breaks
   */
  async send(request: UpstreamRequest, timeoutMs: number): Promise<Reply> {
    const sentAt = performance.now();
    try {
      const response = await this.#fetch(request, AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))));
      if (response.status >= 300 && response.status < 400) {
        discard(response);
        throw new Problem('upstream-failed', { reason: 'redirect' });
      }
      const reply: Reply = {
        status: response.status,
        body: await response.text(),
        headers: Object.fromEntries(response.headers),
      };
      this.#options.onReply?.(reply, performance.now() - sentAt);
      return reply;
    } catch (error) {
      throw rebuild(error, this.#options.proxy);
    }
  }

  /**
   * Like `send`, for a response that cannot be requested again: returns whatever arrived of the body, even of a redirect
   * (never followed), and why the rest is missing.
   *
   * @param timeoutMs until the response begins
   * @param bodyMs from then on
   * @throws Problem `upstream-timeout`, or ConnectionFailure, if no response begins
   */
  async salvage(request: UpstreamRequest, timeoutMs: number, bodyMs: number): Promise<Salvaged> {
    const late = new AbortController();
    let timer = setTimeout(() => late.abort(), timeoutMs);
    const parts: Buffer[] = [];
    let status: number | undefined;
    let failure: Error | undefined;
    try {
      const response = await this.#fetch(request, late.signal);
      clearTimeout(timer);
      timer = setTimeout(() => late.abort(), bodyMs);
      status = response.status;
      let left = this.#options.maxResponseBytes;
      for await (const part of response.body ?? []) {
        parts.push(Buffer.from(part).subarray(0, left));
        left -= part.length;
        if (left < 0) throw new Problem('upstream-failed', { reason: 'too-large' });
      }
    } catch (error) {
      failure = rebuild(error, this.#options.proxy);
      if (status === undefined) throw failure;
    } finally {
      clearTimeout(timer);
    }
    return { status, body: Buffer.concat(parts).toString(), failure };
  }

  #fetch(request: UpstreamRequest, signal: AbortSignal): Promise<Response> {
    const { path, query, search = new URLSearchParams(query).toString(), headers, form } = request;
    return fetch(`${this.#options.baseUrl}${path}${search && `?${search}`}`, {
      agent: this.#agent,
      ...(form && { method: 'POST', body: form }),
      // Following a redirect would send the key elsewhere: any redirect is a failure.
      redirect: 'manual',
      signal,
      size: this.#options.maxResponseBytes,
      headers: { accept: 'application/json', 'user-agent': this.#options.userAgent, ...headers },
    });
  }

  /**
   * Opens a connection as a call does, and closes it without a request.
   *
   * @throws Problem `upstream-timeout` if the signal aborts first
   * @throws ConnectionFailure if there is no connection
   */
  connect(signal: AbortSignal): Promise<void> {
    const { request } = this.#server.protocol === 'https:' ? https : http;
    return new Promise((resolve, reject) => {
      // Nothing is sent before `end`.
      const connecting = request(this.#server, { agent: this.#agent, signal });
      connecting.on('error', (error) => reject(signal.aborted ? tooLate() : rebuild(error, this.#options.proxy)));
      connecting.on('socket', (socket) => {
        const connected = () => {
          resolve();
          connecting.destroy();
        };
        if (isConnected(socket)) connected();
        else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', connected);
      });
    });
  }

  /** Span attributes of a request (semantic conventions for HTTP client spans), without the query, which contains the key. */
  describe({ path, form }: UpstreamRequest): Attributes {
    const { hostname, port, protocol } = this.#server;
    return {
      'http.request.method': form ? 'POST' : 'GET',
      'server.address': hostname,
      'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
      'url.full': `${this.#options.baseUrl}${path}`,
    };
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Whether a request can be sent now. A TLS socket knows its protocol after the handshake. */
function isConnected(socket: Socket): boolean {
  return socket instanceof TLSSocket ? /^TLS/.test(socket.getProtocol() ?? '') : !socket.connecting;
}

const tooLate = () => new Problem('upstream-timeout', { reason: 'timeout' });

function discard(response: Response): void {
  const body = response.body;
  if (body && 'destroy' in body && typeof body.destroy === 'function') body.destroy();
}

/** Rebuilds an error. HTTP clients put the URL, and so the key, into their messages: nothing of the original is passed on. */
function rebuild(error: unknown, proxy: OutboundProxy | undefined): Error {
  if (error instanceof Problem) return error;
  if (error instanceof AbortError || (error instanceof Error && error.name === 'TimeoutError')) {
    return tooLate();
  }
  if (error instanceof FetchError && error.type === 'max-size') {
    return new Problem('upstream-failed', { reason: 'too-large' });
  }
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== 'string' || !codePattern.test(code)) return new ConnectionFailure('UNKNOWN');
  return new ConnectionFailure(code, proxy && isTunnelCode(code) ? nameOf(proxy) : undefined);
}

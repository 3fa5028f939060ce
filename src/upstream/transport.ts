/**
 * One HTTP request to Constant Contact: bounded in time and size, never redirected, never quoted.
 */
import http from 'node:http';
import https from 'node:https';
import type { Attributes } from '@opentelemetry/api';
import fetch, { AbortError, FetchError, type Response } from 'node-fetch';
import { Problem } from '../problems.ts';
import type { Reply, UpstreamRequest } from './adapter.ts';

export interface TransportOptions {
  readonly baseUrl: string;
  readonly userAgent: string;
  /** Bytes of a body after decompression. */
  readonly maxResponseBytes: number;
}

/** What could be read of an answer. */
export interface Salvaged {
  readonly status: number;
  readonly body: string;
  /** Why this is not all of it: as `send` would have thrown it. */
  readonly failure: Error | undefined;
}

/** A network failure that may not happen again. Asking twice does no harm where the request is a GET. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
  /** Node's code, such as ECONNREFUSED or CERT_HAS_EXPIRED: what an operator needs, and nothing of the message. */
  readonly code: string;

  constructor(code: string) {
    super('the connection to Constant Contact failed');
    this.code = code;
  }
}

const codePattern = /^[A-Z][A-Z0-9_]{2,40}$/;

export class Transport {
  readonly #options: TransportOptions;
  readonly #agent: http.Agent | https.Agent;
  readonly #server: URL;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#server = new URL(options.baseUrl);
    const Agent = options.baseUrl.startsWith('https:') ? https.Agent : http.Agent;
    this.#agent = new Agent({ keepAlive: true, maxFreeSockets: 4 });
  }

  /**
   * GETs, or POSTs where there is a form. Answers with any status but a redirect, within `timeoutMs` for request and answer.
   *
   * @throws Problem `upstream-timeout`, or `upstream-failed` for a redirect or a body over the bound
   * @throws ConnectionFailure when the connection failed or broke
   */
  async send(request: UpstreamRequest, timeoutMs: number): Promise<Reply> {
    try {
      const response = await this.#fetch(request, AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))));
      if (response.status >= 300 && response.status < 400) {
        discard(response);
        throw new Problem('upstream-failed', { reason: 'redirect' });
      }
      return {
        status: response.status,
        body: await response.text(),
        headers: Object.fromEntries(response.headers),
      };
    } catch (error) {
      throw rebuild(error);
    }
  }

  /**
   * The same for an answer that cannot be had again: whatever came of its body is handed on, also that of a redirect, which is
   * not followed either, and what kept the rest from coming.
   *
   * @param timeoutMs until the answer begins
   * @param bodyMs from then on
   * @throws Problem `upstream-timeout`, or ConnectionFailure, when no answer began
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
      failure = rebuild(error);
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
      // A redirect would carry the key to another place: it is a failure, whatever it points at.
      redirect: 'manual',
      signal,
      size: this.#options.maxResponseBytes,
      headers: { accept: 'application/json', 'user-agent': this.#options.userAgent, ...headers },
    });
  }

  /** A request as a trace has it (semantic conventions for HTTP client spans): without its query, where the key is. */
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

function discard(response: Response): void {
  const body = response.body;
  if (body && 'destroy' in body && typeof body.destroy === 'function') body.destroy();
}

/** HTTP clients put the URL, and with it the key, into their messages: nothing of the original goes on. */
function rebuild(error: unknown): Error {
  if (error instanceof Problem) return error;
  if (error instanceof AbortError || (error instanceof Error && error.name === 'TimeoutError')) {
    return new Problem('upstream-timeout', { reason: 'timeout' });
  }
  if (error instanceof FetchError && error.type === 'max-size') {
    return new Problem('upstream-failed', { reason: 'too-large' });
  }
  const { code } = error as { readonly code?: unknown };
  return new ConnectionFailure(typeof code === 'string' && codePattern.test(code) ? code : 'UNKNOWN');
}

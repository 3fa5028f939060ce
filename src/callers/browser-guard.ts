/**
 * What web pages of other origins may do: nothing, unless their origin is on the list (Fetch Standard, "CORS protocol").
 */
import type { IncomingMessage } from 'node:http';
import { Problem } from '../problems.ts';

/** Sent with every answer to a listed origin. Credentials are never allowed: there are none to send. */
const exposed =
  'Age, Cache-Status, Content-Disposition, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
const allowedHeaders =
  'Accept, Authorization, Cache-Control, If-Modified-Since, If-None-Match, Traceparent, Tracestate, X-Request-Id';

/** A day; browsers shorten it to what they keep at the most. */
const preflightSeconds = 86_400;

export class BrowserGuard {
  readonly #origins: ReadonlySet<string>;

  /** @param origins exact, such as `https://dashboards.example.com` */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /**
   * Adds the headers that the answer has to carry, names and values in turn.
   *
   * @throws Problem `origin-not-allowed` for a page of another origin, whether it wants to read or only to trigger
   */
  check({ headers: { origin, 'sec-fetch-site': site } }: IncomingMessage, headers: string[]): void {
    if (this.#origins.size > 0) headers.push('Vary', 'Origin');
    if (origin !== undefined && this.#origins.has(origin)) {
      headers.push('Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', exposed);
      return;
    }
    // Another port of the same host is another origin too, though the same site.
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (origin !== undefined || isForeign) throw new Problem('origin-not-allowed');
  }

  /** What a preflight is answered with, beside the headers of `check`; undefined when the request is none. */
  preflight({ method, headers }: IncomingMessage): string[] | undefined {
    if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return undefined;
    return [
      'Access-Control-Allow-Methods',
      'GET, HEAD',
      'Access-Control-Allow-Headers',
      allowedHeaders,
      'Access-Control-Max-Age',
      String(preflightSeconds),
    ];
  }
}

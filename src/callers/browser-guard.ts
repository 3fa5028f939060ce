/**
 * What web pages of other origins may do: nothing, unless their origin is on the list (Fetch Standard, "CORS protocol").
 */
import type { IncomingMessage } from 'node:http';
import { headerLines } from '../http/header-block.ts';
import { Problem } from '../problems.ts';

/** Sent with every answer to a listed origin. Credentials are never allowed: there are none to send. */
const exposed =
  'Age, Cache-Status, Content-Disposition, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
const allowedHeaders =
  'Accept, Authorization, Cache-Control, If-Modified-Since, If-None-Match, Traceparent, Tracestate, X-Request-Id';

/** A day; browsers shorten it to their own maximum. */
const preflightSeconds = 86_400;

const preflightLines = headerLines(
  ...['Access-Control-Allow-Methods', 'GET, HEAD'],
  ...['Access-Control-Allow-Headers', allowedHeaders],
  ...['Access-Control-Max-Age', String(preflightSeconds)],
);

export class BrowserGuard {
  /** By origin, header lines of its responses. */
  readonly #lines: ReadonlyMap<string, string>;
  readonly #always: string;

  /** @param origins exact, such as `https://dashboards.example.com` */
  constructor(origins: readonly string[]) {
    this.#always = origins.length === 0 ? '' : headerLines('Vary', 'Origin');
    const linesFor = (origin: string) =>
      headerLines('Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', exposed);
    this.#lines = new Map(origins.map((origin) => [origin, linesFor(origin)]));
  }

  /** Header lines that the response has to carry, also when the request is refused. */
  lines({ headers: { origin } }: IncomingMessage): string {
    return `${this.#always}${origin === undefined ? '' : (this.#lines.get(origin) ?? '')}`;
  }

  /** @throws Problem `origin-not-allowed` for a page of another origin, whether it wants to read or only to trigger */
  check({ headers: { origin, 'sec-fetch-site': site } }: IncomingMessage): void {
    if (origin !== undefined && this.#lines.has(origin)) return;
    // Another port of the same host is another origin too, though the same site.
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (origin !== undefined || isForeign) throw new Problem('origin-not-allowed');
  }

  /** Header lines of the response to a preflight, beside `lines`; undefined for any other request. */
  preflight({ method, headers }: IncomingMessage): string | undefined {
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    return isPreflight ? preflightLines : undefined;
  }
}

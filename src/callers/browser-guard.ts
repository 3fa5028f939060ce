/**
 * Refuses web pages of other origins unless their origin is listed (Fetch Standard, "CORS protocol").
 */
import type { IncomingMessage } from 'node:http';
import { headerLines } from '../http/header-block.ts';
import { Problem } from '../problems.ts';

/** Response headers exposed to listed origins. Credentials are never allowed: Sendgate uses no cookies. */
const exposed =
  'Age, Cache-Status, Content-Disposition, ETag, Link, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
const allowedHeaders =
  'Accept, Authorization, Cache-Control, If-Modified-Since, If-None-Match, Traceparent, Tracestate, X-Request-Id';

/** A day; browsers cap it at their own maximum. */
const preflightSeconds = 86_400;

const preflightLines = headerLines(
  ...['Access-Control-Allow-Methods', 'GET, HEAD'],
  ...['Access-Control-Allow-Headers', allowedHeaders],
  ...['Access-Control-Max-Age', String(preflightSeconds)],
);

export class BrowserGuard {
  /** Header lines of responses, by origin. */
  readonly #lines: ReadonlyMap<string, string>;
  readonly #always: string;

  /** @param origins exact, such as `https://dashboards.example.com` */
  constructor(origins: readonly string[]) {
    this.#always = origins.length === 0 ? '' : headerLines('Vary', 'Origin');
    const linesFor = (origin: string) =>
      headerLines('Access-Control-Allow-Origin', origin, 'Access-Control-Expose-Headers', exposed);
    this.#lines = new Map(origins.map((origin) => [origin, linesFor(origin)]));
  }

  /** Returns header lines for the response, refused or not. */
  lines({ headers: { origin } }: IncomingMessage): string {
    return `${this.#always}${origin === undefined ? '' : (this.#lines.get(origin) ?? '')}`;
  }

  /** @throws Problem `origin-not-allowed` for a page of another origin, even if it cannot read the response */
  check({ headers: { origin, 'sec-fetch-site': site } }: IncomingMessage): void {
    if (origin !== undefined && this.#lines.has(origin)) return;
    // Another port of the same host is the same site but another origin.
    const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (origin !== undefined || isForeign) throw new Problem('origin-not-allowed');
  }

  /** Returns further header lines for a preflight; undefined for any other request. */
  preflight({ method, headers }: IncomingMessage): string | undefined {
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    return isPreflight ? preflightLines : undefined;
  }
}

/**
 * A found page as an HTTP answer: headers, conditional requests, the encoding that the caller takes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import fresh from 'fresh';
import { chooseEncoding } from '../negotiate.ts';
import type { Found } from '../pages/pages.ts';
import { cacheStatus } from './cache-status.ts';

/** Browsers keep the page and revalidate: a 304 costs nothing, and an address list never goes stale unseen. */
const cacheControl = 'private, no-cache';

/** Answers 200 with the page, or 304 where the caller has it already. `headers` are those gathered before. */
export function answerPage(
  req: IncomingMessage,
  res: ServerResponse,
  headers: string[],
  found: Found,
  nowMs: number,
): void {
  const { body, fetchedAt } = found.page;
  headers.push('Cache-Control', cacheControl, 'Vary', 'Accept-Encoding', 'ETag', body.etag);
  headers.push('Age', String(Math.max(0, Math.floor((nowMs - fetchedAt) / 1000))));
  headers.push('Cache-Status', cacheStatus(found, nowMs));
  if (body.lastModified !== undefined) headers.push('Last-Modified', body.lastModified);
  if (body.next !== undefined) headers.push('Link', `<${body.next}>; rel="next"`);

  if (isCurrent(req, body.etag, body.lastModified)) {
    res.writeHead(304, headers).end();
    return;
  }
  const encoding = chooseEncoding(req.headers['accept-encoding'] as string | undefined);
  const content = body.encodings[encoding];
  headers.push('Content-Type', 'application/json', 'Content-Length', String(content.length));
  if (encoding !== 'identity') headers.push('Content-Encoding', encoding);
  res.writeHead(200, headers);
  res.end(req.method === 'HEAD' ? undefined : content);
}

/** Whether the caller's copy is the present one (RFC 9110 §13.1). Asking for a fresh page does not make it resend one. */
export function isCurrent({ headers }: IncomingMessage, etag: string, lastModified: string | undefined): boolean {
  const match = headers['if-none-match'];
  const since = headers['if-modified-since'];
  if (match === undefined && since === undefined) return false;
  return fresh({ 'if-none-match': match, 'if-modified-since': since }, { etag, 'last-modified': lastModified });
}

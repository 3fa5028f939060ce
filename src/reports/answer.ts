/**
 * How a page is answered: conditional requests, the encoding that the caller takes, and its age.
 */
import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';
import type { Encoding } from '../cache/compression.ts';
import type { PageBody } from '../cache/page.ts';
import type { Lookup } from '../cache/page-source.ts';
import { cacheStatus } from './cache-status.ts';
import type { Form } from './prepared-responses.ts';

export function formOf({ etag, lastModified }: PageBody, headers: IncomingHttpHeaders, encoding: Encoding): Form {
  return isCurrent(headers, etag, lastModified) ? 'not-modified' : encoding;
}

/**
 * Lines that are different from answer to answer.
 *
 * @param nowMs monotonic
 */
export function linesNow(lookup: Lookup, nowMs: number): string {
  const age = Math.max(0, Math.floor((nowMs - lookup.page.fetchedAt) / 1000));
  return `Age: ${age}\r\nCache-Status: ${cacheStatus(lookup, nowMs)}\r\n`;
}

/** Whether the caller's copy is the present one (RFC 9110 §13.1). Asking for a fresh page does not make it resend one. */
export function isCurrent(headers: IncomingHttpHeaders, etag: string, lastModified: string | undefined): boolean {
  const match = headers['if-none-match'];
  const since = headers['if-modified-since'];
  if (match === undefined && since === undefined) return false;
  if (match === etag) return true; // As browsers send it.
  return fresh({ 'if-none-match': match, 'if-modified-since': since }, { etag, 'last-modified': lastModified });
}

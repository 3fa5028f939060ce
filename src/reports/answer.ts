/**
 * Answers a page: conditional requests, encoding and age.
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
 * Header lines that differ from response to response.
 *
 * @param nowMs monotonic
 */
export function linesNow(lookup: Lookup, nowMs: number): string {
  const age = Math.max(0, Math.floor((nowMs - lookup.page.fetchedAt) / 1000));
  return `Age: ${age}\r\nCache-Status: ${cacheStatus(lookup, nowMs)}\r\n`;
}

/** Whether the caller's copy is current (RFC 9110 §13.1). `no-cache` does not force a full response. */
export function isCurrent(headers: IncomingHttpHeaders, etag: string, lastModified: string | undefined): boolean {
  const match = headers['if-none-match'];
  const since = headers['if-modified-since'];
  if (match === undefined && since === undefined) return false;
  if (match === etag) return true; // The form that browsers send.
  return fresh({ 'if-none-match': match, 'if-modified-since': since }, { etag, 'last-modified': lastModified });
}

/**
 * Conditional requests (RFC 9110 §13): whether a 304 is the answer.
 */
import type { IncomingHttpHeaders } from 'node:http';
import fresh from 'fresh';

/** Whether the caller's copy is current (RFC 9110 §13.1). `no-cache` does not force a full response. */
export function isCurrent(headers: IncomingHttpHeaders, etag: string, lastModified: string | undefined): boolean {
  const match = headers['if-none-match'];
  const since = headers['if-modified-since'];
  if (match === undefined && since === undefined) return false;
  if (match === etag) return true; // The form that browsers send.
  return fresh({ 'if-none-match': match, 'if-modified-since': since }, { etag, 'last-modified': lastModified });
}

/**
 * Parses the maximum age that a caller accepts, in seconds, from `Cache-Control` (RFC 9111 §5.2.1): `no-cache` is 0.
 * Ignores directives that a shared cache may ignore.
 */
export function requestedMaxAge(cacheControl: string | undefined): number | undefined {
  if (cacheControl === undefined) return undefined;
  if (/(?:^|,)\s*no-(?:cache|store)\s*(?:,|$)/i.test(cacheControl)) return 0;
  const seconds = /(?:^|,)\s*max-age="?(\d{1,10})"?\s*(?:,|$)/i.exec(cacheControl)?.[1];
  return seconds === undefined ? undefined : Number(seconds);
}

/**
 * Parses a request target.
 */

/** Returns the raw query string of a target, without its `?`. */
export function searchOf(url: string): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

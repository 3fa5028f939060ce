/**
 * Cursors: lead from one page of Constant Contact's to the next, and come back from callers as `next`.
 *
 * A v2 cursor carries everything and is sent alone. In v3 the cursor has one of two names, and `limit` and filters can
 * accompany one that is only a page number: there, callers see the link's whole query as the cursor.
 */
import { z } from 'zod';

/** A cursor is opaque. From callers and upstream alike, it only has to be short and printable. */
export const cursorPattern = /^[\x20-\x7e]{1,2048}$/;

/**
 * Returns the cursor in a v2 link, decoded once; undefined if there is none or more than one. The link's path may differ from
 * the one called. An unencoded `+` becomes a space here and a `+` again in the next call, so Constant Contact receives what
 * it wrote.
 */
export function cursorOfLink(link: string): string | undefined {
  const cursors = new URLSearchParams(queryOf(link)).getAll('next');
  const [cursor] = cursors;
  return cursors.length === 1 && cursor !== undefined && cursorPattern.test(cursor) ? cursor : undefined;
}

/** Schema of optional links. Tolerates what some libraries write for an empty object. */
export const linksOf = <T extends z.ZodType>(links: T) =>
  links.or(z.union([z.literal(''), z.tuple([])]).transform(() => undefined)).nullish();

/** The query of v3's link to the next page. */
export interface NextQuery {
  readonly cursor: string;
  /** Whether the link has parameters that are not forwarded. */
  readonly isOdd: boolean;
}

/** Returns the cursor for a v3 link; undefined if the link has no cursor or is too long. */
export function cursorOfHref(href: string): NextQuery | undefined {
  const replay = replayOf(queryOf(href));
  if (!replay) return undefined;
  const cursor = Buffer.from(replay.query, 'latin1').toString('base64url');
  return cursorPattern.test(cursor) ? { cursor, isOdd: replay.isOdd } : undefined;
}

/**
 * Returns the upstream query for a v3 cursor; undefined if `cursorOfHref` could not have made it. The cursor is caller input:
 * parameters that are not listed, out of bounds or spelled differently are not forwarded.
 */
export function queryOfCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url');
  if (text.toString('base64url') !== cursor) return undefined;
  const query = text.toString('latin1');
  return replayOf(query)?.query === query ? query : undefined;
}

/** Whether a caller's cursor can be Constant Contact's. v2's are opaque. */
export const cursorRules: Readonly<Record<'v2' | 'v3', (cursor: string) => boolean>> = {
  v2: () => true,
  v3: (cursor) => queryOfCursor(cursor) !== undefined,
};

/** Returns the parameters that a cursor carries, where they can be read: many cursors are queries in base64url. */
export function parametersIn(cursor: string): URLSearchParams {
  return new URLSearchParams(Buffer.from(cursor, 'base64url').toString('latin1'));
}

/** Parameters that identify a page (v3: tracking reports and lists), with the pattern of each decoded value. */
const replayed: ReadonlyMap<string, RegExp> = new Map([
  ['cursor', cursorPattern],
  ['next', cursorPattern],
  ['limit', /^([1-9]\d?|[1-4]\d\d|500)$/],
  ['url_id', /^\d{1,20}$/],
  ['after_date', /^[\x20-\x7e]{0,64}$/],
  ['before_date', /^[\x20-\x7e]{0,64}$/],
]);

/**
 * Returns the forwarded parameters of a query in their own spelling: another spelling (`+`, `%20`) may mean something else to
 * Constant Contact. Undefined if one is repeated or out of bounds, or if none is a cursor.
 */
function replayOf(query: string): { readonly query: string; readonly isOdd: boolean } | undefined {
  const kept = new Map<string, string>();
  let isOdd = false;
  for (const pair of query.split('&')) {
    const [name = ''] = pair.split('=', 1);
    const pattern = replayed.get(name);
    if (!pattern) {
      isOdd ||= pair !== '';
      continue;
    }
    const value = pair.slice(name.length + 1).replace(unencoded, encodeURIComponent);
    if (kept.has(name) || !valuePattern.test(value) || !pattern.test(decoded(value))) return undefined;
    kept.set(name, `${name}=${value}`);
  }
  return kept.has('cursor') || kept.has('next') ? { query: [...kept.values()].join('&'), isOdd } : undefined;
}

/** Characters allowed in a value (RFC 3986 §3.4). `;` is encoded, since some servers treat it as a separator. */
const valuePattern = /^[\w.~!$'()*+,:@/?%=-]*$/;
/** Printable ASCII that must be encoded in a value, except `&` and `#`, which end it. */
const unencoded = /[ ";<>[\\\]^`{|}]/g;
const decoded = (value: string) => new URLSearchParams(`=${value}`).get('') ?? '';

/** Longest link, in characters. A usable one is at most half as long, and parsing 8 MB of one takes seconds. */
const maxLinkLength = 16_384;

/** Returns a link's query; the whole link if it is nothing else; empty if the link is too long. */
function queryOf(link: string): string {
  if (link.length > maxLinkLength) return '';
  const [withoutFragment = ''] = link.split('#', 1);
  return withoutFragment.slice(withoutFragment.indexOf('?') + 1);
}

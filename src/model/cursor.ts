/**
 * Cursors: what leads from one page of Constant Contact's to the next, and comes back from callers as `next`.
 *
 * v2's cursor carries everything and goes up alone. In v3, `limit` and filters can stand beside a cursor that is only a page's
 * number, and the cursor has one of two names: there, the whole query of the link is the cursor that callers see.
 */
import { z } from 'zod';

/** A cursor is opaque. From callers and upstream alike it has to be short and printable, and nothing else. */
export const cursorPattern = /^[\x20-\x7e]{1,2048}$/;

/**
 * The cursor out of v2's link, decoded once; undefined where there is none, or more than one. Its path is not always the one
 * that was called. A `+` that is not encoded becomes a space here, and a `+` again in the next call: Constant Contact meets
 * what it wrote, however it reads it.
 */
export function cursorOfLink(link: string): string | undefined {
  const cursors = new URLSearchParams(queryOf(link)).getAll('next');
  const [cursor] = cursors;
  return cursors.length === 1 && cursor !== undefined && cursorPattern.test(cursor) ? cursor : undefined;
}

/** Where a page may hold links: what some libraries write for an empty object is one, too. */
export const linksOf = <T extends z.ZodType>(links: T) =>
  links.or(z.union([z.literal(''), z.tuple([])]).transform(() => undefined)).nullish();

/** What v3's link to the next page says. */
export interface NextQuery {
  readonly cursor: string;
  /** Whether the link has parameters that are not forwarded. */
  readonly isOdd: boolean;
}

/** The cursor that stands for v3's link; undefined where it cannot be followed: without a cursor, or with one that is too long. */
export function cursorOfHref(href: string): NextQuery | undefined {
  const replay = replayOf(queryOf(href));
  if (!replay) return undefined;
  const cursor = Buffer.from(replay.query, 'latin1').toString('base64url');
  return cursorPattern.test(cursor) ? { cursor, isOdd: replay.isOdd } : undefined;
}

/**
 * The query that a cursor of v3's stands for, as it goes up; undefined where it is none that `cursorOfHref` could have made.
 * It is a caller's input: what is not on the list, is out of bounds or is spelled in another way is not forwarded.
 */
export function queryOfCursor(cursor: string): string | undefined {
  const text = Buffer.from(cursor, 'base64url');
  if (text.toString('base64url') !== cursor) return undefined;
  const query = text.toString('latin1');
  return replayOf(query)?.query === query ? query : undefined;
}

/** Whether a caller's cursor can be Constant Contact's; v2's are opaque. */
export const cursorRules: Readonly<Record<'v2' | 'v3', (cursor: string) => boolean>> = {
  v2: () => true,
  v3: (cursor) => queryOfCursor(cursor) !== undefined,
};

/** The parameters that lead to a page (v3: tracking reports and lists), and what each can be when it is decoded. */
const replayed: ReadonlyMap<string, RegExp> = new Map([
  ['cursor', cursorPattern],
  ['next', cursorPattern],
  ['limit', /^([1-9]\d?|[1-4]\d\d|500)$/],
  ['url_id', /^\d{1,20}$/],
  ['after_date', /^[\x20-\x7e]{0,64}$/],
  ['before_date', /^[\x20-\x7e]{0,64}$/],
]);

/**
 * The parameters of a query that go up, spelled as they are there: another spelling may mean something else to Constant Contact
 * (`+`, `%20`). Undefined where one of them is repeated or out of bounds, or where none is a cursor.
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

/** What can stand in a value (RFC 3986 §3.4); `;` separates parameters for some servers, and is encoded. */
const valuePattern = /^[\w.~!$'()*+,:@/?%=-]*$/;
/** Printable ASCII that has to be encoded there, but for `&` and `#`, which end a value. */
const unencoded = /[ ";<>[\\\]^`{|}]/g;
const decoded = (value: string) => new URLSearchParams(`=${value}`).get('') ?? '';

/** Characters of a link: one that can be followed has at most half of them, and eight megabytes of one take seconds to read. */
const maxLinkLength = 16_384;

/** A link's query; all of it where it is nothing else, and nothing of a link that is too long to be followed. */
function queryOf(link: string): string {
  if (link.length > maxLinkLength) return '';
  const [withoutFragment = ''] = link.split('#', 1);
  return withoutFragment.slice(withoutFragment.indexOf('?') + 1);
}

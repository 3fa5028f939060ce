/**
 * Parses a page's start and limit from a query or a cursor, and writes links to the next page.
 */
import type { CampaignOptions, CursorForm, LinkForm } from './campaign-options.ts';
import { indexAt, type Rows } from './rows.ts';

const maxLimit = 500;
const iso8601 = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/** Whether a filter's date is in ISO-8601. */
export const isInstant = (text: string) => iso8601.test(text) && !Number.isNaN(Date.parse(text));

/** A report as it is asked for. */
export interface Listing {
  readonly options: CampaignOptions;
  /** Names of the filters, which a cursor carries. */
  readonly filters: readonly string[];
  /** Returns the rows that pass the filters of a query or a cursor; undefined if a filter is invalid. */
  rows(query: URLSearchParams): Rows | undefined;
}

export interface Place {
  /** Index of the first row, newest first. */
  readonly start: number;
  readonly limit: number;
  readonly rows: Rows;
  /** The filters, each with its `&`. */
  readonly filter: string;
}

export function firstPage(listing: Listing, query: URLSearchParams): Place | undefined {
  const limit = Number(query.get('limit') ?? maxLimit);
  const rows = listing.rows(query);
  if (!isLimit(limit) || !rows) return undefined;
  const { pageSize = maxLimit } = listing.options;
  return { start: 0, limit: Math.min(limit, pageSize), rows, filter: filterIn(listing, query) };
}

const isLimit = (limit: number) => Number.isInteger(limit) && limit >= 1 && limit <= maxLimit;

function filterIn({ filters }: Listing, query: URLSearchParams): string {
  const pairs = [...query].filter(([name]) => filters.includes(name));
  return pairs.map(([name, value]) => `&${name}=${value.replaceAll('+', '%2B')}`).join('');
}

/** Writes a cursor to the row at `index`, with limit and filters, encoded for a link. */
export function writeCursor({ id, cursors = 'offset' }: CampaignOptions, index: number, place: Place): string {
  const { limit, filter, rows } = place;
  const start = `startAt=${index + 1}`;
  switch (cursors) {
    case 'time':
      return encode(cursors, `limit=${limit}&next=${rows.at(index).atMs}${filter}`);
    case 'long':
      return encode(cursors, `limit=${limit}&next=${id}%${uuid}%${base64Url(`${start}${filter}`.padEnd(stateBytes))}`);
    default:
      return encode(cursors, `${start}&limit=${limit}${filter}`);
  }
}

/** @param search the raw query, with its `?` */
export function readCursor(listing: Listing, search: string, name = 'next'): Place | undefined {
  const { cursors = 'offset' } = listing.options;
  const text = decode(cursors, rawValue(search, name));
  if (text === undefined) return undefined;
  const state =
    cursors === 'long'
      ? Buffer.from(text.split('%')[2] ?? '', 'base64url')
          .toString()
          .trim()
      : text;
  const place = new URLSearchParams(state);
  const limit = Number(new URLSearchParams(text).get('limit'));
  const rows = listing.rows(place);
  if (!rows) return undefined;
  const start = place.has('next') ? indexAt(rows, Number(place.get('next'))) : Number(place.get('startAt')) - 1;
  if (!isLimit(limit) || !Number.isInteger(start) || start < 0) return undefined;
  return { start, limit, rows, filter: filterIn(listing, place) };
}

/** Writes a page number as v3's lists do: `MQ**` is the second page of `limit` rows each. */
export const writePageNumber = (number: number) => Buffer.from(String(number)).toString('base64').replaceAll('=', '*');

export function readPageNumber(text: string): number | undefined {
  const number = Number(Buffer.from(text.replaceAll('*', '='), 'base64').toString());
  return Number.isInteger(number) && number > 0 && writePageNumber(number) === text ? number : undefined;
}

/** Writes a link to a page in one of the forms. */
export function linkTo(form: LinkForm, path: string, query: string): string {
  switch (form) {
    case 'relative':
      return `${path}?${query}`;
    case 'absolute':
      return `https://api.elsewhere.example:8443${path}?${query}#next=nothing`;
    case 'other-path':
      return `${path.replace('/emailmarketing/campaigns/', '/emailcampaigns/').replace(/^\/v3\//, '/')}?${query}`;
    case 'query':
      return `?${query}`;
  }
}

/** Part of a cursor observed in 2017: 184 characters for a campaign id of 13. */
const uuid = '0a7cc3f1-5e0b-4b55-9ad0-7cb2d9e0c8f4';
const stateBytes = 54;
/** Characters that may need encoding in a URL. */
const odd = '+/%';

/** Encodes a cursor for a link. Each cursor has one spelling; others are rejected. */
function encode(form: CursorForm, text: string): string {
  if (!form.startsWith('opaque')) return base64Url(text);
  // Padded so that the base64 is padded too.
  const base64 = Buffer.from(text.padEnd(Math.ceil(text.length / 3) * 3 + 1)).toString('base64');
  if (form === 'opaque-form') return new URLSearchParams([['', `${odd} ${base64}`]]).toString().slice(1);
  const encoded = encodeURIComponent(`${odd}${base64}`);
  return form === 'opaque' ? encoded : encoded.replaceAll('%2B', '+').replaceAll('%2F', '/').replaceAll('%3D', '=');
}

function decode(form: CursorForm, value: string): string | undefined {
  // In the raw form a `+` is a `+`; in the others it is a space, as in forms.
  const cursor = form === 'opaque-raw' ? unescaped(value) : (new URLSearchParams(`=${value}`).get('') ?? '');
  const text = form.startsWith('opaque')
    ? Buffer.from(cursor.slice(form === 'opaque-form' ? odd.length + 1 : odd.length), 'base64')
        .toString()
        .trim()
    : Buffer.from(cursor, 'base64url').toString();
  const own = encode(form, text);
  const isSame = form === 'opaque-raw' ? unescaped(own) === cursor : new URLSearchParams(`=${own}`).get('') === cursor;
  return isSame ? text : undefined;
}

function rawValue(search: string, name: string): string {
  const pair = search
    .slice(1)
    .split('&')
    .find((one) => one.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) ?? '';
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return '';
  }
}

const base64Url = (text: string) => Buffer.from(text).toString('base64url');

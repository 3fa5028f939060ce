/**
 * Negotiates the representation. Remembers verdicts, since callers send the same few header values.
 */
import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';
import type { Encoding } from '../cache/compression.ts';

/** Clients send a handful of values; the bounds protect against those who send many on purpose. */
const maxRemembered = 200;
const maxRememberedLength = 200;
/** Longer headers are ignored (RFC 9110 §12.4.1 allows it): negotiating one of 15 KB takes milliseconds. */
const maxLength = 1_000;

function remembering<V extends string | boolean>(decide: (header: string) => V): (header: string) => V {
  const verdicts = new LRUCache<string, V>({ max: maxRemembered });
  return (header) => {
    const known = verdicts.get(header);
    if (known !== undefined) return known;
    const verdict = decide(header);
    if (header.length <= maxRememberedLength) verdicts.set(header, verdict);
    return verdict;
  };
}

/** Missing in @types/negotiator. */
type Preferring = { encodings(available: readonly string[], options: { preferred: readonly string[] }): string[] };

const encodingOf = remembering<Encoding>((header) => {
  const negotiator = new Negotiator({ headers: { 'accept-encoding': header } }) as unknown as Preferring;
  // A client that refuses every encoding gets identity (RFC 9110 §12.5.3 allows it).
  const [chosen] = negotiator.encodings(['br', 'gzip', 'identity'], { preferred: ['br', 'gzip'] });
  return chosen === 'br' || chosen === 'gzip' ? chosen : 'identity';
});

/** Verdicts by media type. Everything is UTF-8, so `charset=utf-8` is acceptable too. */
const verdicts = new Map<string, (header: string) => boolean>();

function verdictOn(mediaType: string): (header: string) => boolean {
  const types = [mediaType, `${mediaType};charset=utf-8`];
  return remembering((header) => new Negotiator({ headers: { accept: header } }).mediaType(types) !== undefined);
}

/** Returns the smallest of the caller's preferred encodings. */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding {
  return acceptEncoding === undefined || acceptEncoding.length > maxLength ? 'identity' : encodingOf(acceptEncoding);
}

/** Whether `Accept` allows the media type. */
export function accepts(mediaType: string, accept: string | undefined): boolean {
  if (accept === undefined || accept === '' || accept.length > maxLength) return true;
  let verdict = verdicts.get(mediaType);
  if (!verdict) {
    verdict = verdictOn(mediaType);
    verdicts.set(mediaType, verdict);
  }
  return verdict(accept);
}

/** Returns the media type that `Accept` prefers; the first one where it prefers none of them. */
export function preferredType<T extends string>(types: readonly [T, ...T[]], accept: string | undefined): T {
  if (accept === undefined || accept.length > maxLength) return types[0];
  return (new Negotiator({ headers: { accept } }).mediaType([...types]) as T | undefined) ?? types[0];
}

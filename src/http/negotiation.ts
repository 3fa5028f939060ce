/**
 * Which representation a caller takes. The same few header values come again and again, so verdicts are remembered.
 */
import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';
import type { Encoding } from '../cache/compression.ts';

/** Browsers and clients send a handful of values; the bounds are for those who send others on purpose. */
const maxRemembered = 200;
const maxRememberedLength = 200;
/** Negotiating by a header of 15 KB takes milliseconds. A longer one than this is disregarded (RFC 9110 §12.4.1 allows it). */
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

/** What @types/negotiator does not know of yet. */
type Preferring = { encodings(available: readonly string[], options: { preferred: readonly string[] }): string[] };

const encodingOf = remembering<Encoding>((header) => {
  const negotiator = new Negotiator({ headers: { 'accept-encoding': header } }) as unknown as Preferring;
  // A client that refuses identity too has made itself unservable: it gets identity (RFC 9110 §12.5.3 allows it).
  const [chosen] = negotiator.encodings(['br', 'gzip', 'identity'], { preferred: ['br', 'gzip'] });
  return chosen === 'br' || chosen === 'gzip' ? chosen : 'identity';
});

/** Everything is UTF-8, so a client that insists on that gets it too. */
const verdicts = new Map<string, (header: string) => boolean>();

function verdictOn(mediaType: string): (header: string) => boolean {
  const types = [mediaType, `${mediaType};charset=utf-8`];
  return remembering((header) => new Negotiator({ headers: { accept: header } }).mediaType(types) !== undefined);
}

/** The smallest encoding that the caller takes as readily as any other. */
export function chooseEncoding(acceptEncoding: string | undefined): Encoding {
  return acceptEncoding === undefined || acceptEncoding.length > maxLength ? 'identity' : encodingOf(acceptEncoding);
}

/** Whether `Accept` lets one of our media types through. */
export function accepts(mediaType: string, accept: string | undefined): boolean {
  if (accept === undefined || accept === '' || accept.length > maxLength) return true;
  let verdict = verdicts.get(mediaType);
  if (!verdict) {
    verdict = verdictOn(mediaType);
    verdicts.set(mediaType, verdict);
  }
  return verdict(accept);
}

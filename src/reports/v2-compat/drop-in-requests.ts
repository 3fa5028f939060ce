/**
 * Recognises requests of programs written for Constant Contact v2, and takes the credentials off them.
 */
import type { IncomingMessage } from 'node:http';
import { bearerToken } from '../../callers/teams.ts';
import { searchOf } from '../../http/target.ts';

/**
 * Whether a request is for v2's API, also where no resource is at its path: v2 programs can read errors only in v2's form. The
 * path alone decides: a query may hold anything.
 */
export function dropInRule(basePath: string): (req: IncomingMessage) => boolean {
  // A target may be a whole URL (RFC 9112 §3.2.2). The bounds are those of names, and keep the time for any target short.
  const origin = '(?:[a-zA-Z]{1,9}://[^/?#]{0,300})?';
  const pattern = new RegExp(`^${origin}${anySpelling(`${basePath}/v2`)}(?:[/?#]|%2[fF]|$)`);
  return ({ url = '' }) => pattern.test(url);
}

const credential = new RegExp(`^(?:${anySpelling('api_key')}|(${anySpelling('access_token')}))(?:=|$)`);

/**
 * Parameters that are searched for credentials, more than any program sends: the search runs before the rate limit. The rest may
 * hold credentials too, and is replaced by a parameter that gets the request refused.
 */
const maxParameters = 20;
const beyond = 'parameters_beyond_20';

/**
 * Takes credentials for Constant Contact off a request, before anything can read, log or forward them.
 *
 * @returns the ones that may be a team's token: from the header, then from the query. A repeated one is not returned, so that a
 * request allows two guesses at most.
 */
export function takeCredentials(req: IncomingMessage): readonly string[] {
  const tokens = [bearerToken(takeAuthorization(req)), takeFromQuery(req)];
  return tokens.filter((token) => token !== undefined);
}

function takeAuthorization(req: IncomingMessage): string | undefined {
  const { rawHeaders, headers } = req;
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  delete headers.authorization;
  // In place: node:http derives other views from this array, and has counted its entries.
  for (let n = 0; n < rawHeaders.length; n += 2) {
    if (rawHeaders[n]?.toLowerCase() === 'authorization') rawHeaders[n + 1] = '';
  }
  return authorization;
}

function takeFromQuery(req: IncomingMessage): string | undefined {
  const { url = '' } = req;
  const search = searchOf(url);
  if (search === '') return undefined;
  const pairs = search.split('&', maxParameters + 1);
  const isCut = pairs.length > maxParameters;
  if (isCut) pairs[maxParameters] = beyond;
  const found = pairs.map((pair) => credential.exec(pair));
  const kept = pairs.filter((_, at) => !found[at]);
  if (kept.length === pairs.length && !isCut) return undefined;
  req.url = `${url.slice(0, url.length - search.length - 1)}${kept.length === 0 ? '' : '?'}${kept.join('&')}`;
  const tokens = pairs.filter((_, at) => found[at]?.[1] !== undefined);
  if (tokens.length !== 1) return undefined;
  // There is no space in a token: one that arrives is a `+` that was not encoded.
  return [...new URLSearchParams(tokens[0]).values()][0]?.replaceAll(' ', '+');
}

/** A pattern of a text in which every character may be percent-encoded, and slashes may come several times. */
function anySpelling(text: string): string {
  const spellings = [...text].map((character) => {
    const hex = character.charCodeAt(0).toString(16).padStart(2, '0');
    const encoded = hex.replace(/[a-f]/, (digit) => `[${digit}${digit.toUpperCase()}]`);
    return `(?:\\x${hex}|%${encoded})${character === '/' ? '{1,9}' : ''}`;
  });
  return spellings.join('');
}

/**
 * Recognises requests of programs written for Constant Contact v2 and strips their credentials.
 */
import type { IncomingMessage } from 'node:http';
import { bearerToken } from '../../callers/teams.ts';
import { searchOf } from '../../http/target.ts';

/**
 * Matches requests for v2's API by their path, even if no resource is there: v2 programs read errors only in v2's form. Ignores
 * the query, which may hold anything.
 */
export function dropInRule(basePath: string): (req: IncomingMessage) => boolean {
  // A target may be an absolute URL (RFC 9112 §3.2.2). The bounds are those of names and keep matching fast.
  const origin = '(?:[a-zA-Z]{1,9}://[^/?#]{0,300})?';
  const pattern = new RegExp(`^${origin}${anySpelling(`${basePath}/v2`)}(?:[/?#]|%2[fF]|$)`);
  return ({ url = '' }) => pattern.test(url);
}

const credential = new RegExp(`^(?:${anySpelling('api_key')}|(${anySpelling('access_token')}))(?:=|$)`);

/**
 * Parameters searched for credentials, more than any program sends: the search runs before the rate limit. The rest could hold
 * credentials too, so it is replaced by a parameter that makes the request invalid.
 */
const maxParameters = 20;
const beyond = 'parameters_beyond_20';

/**
 * Strips credentials for Constant Contact from a request, before anything can read, log or forward them.
 *
 * @returns possible team tokens: from the header, then from the query. Drops repeated parameters, so that a request allows at
 * most two guesses.
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
  // Overwrite in place: node:http derives other views from this array and has counted its entries.
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
  // Tokens have no spaces: a space is a `+` that was not encoded.
  return [...new URLSearchParams(tokens[0]).values()][0]?.replaceAll(' ', '+');
}

/** Builds a pattern for a text in which characters may be percent-encoded and slashes repeated. */
function anySpelling(text: string): string {
  const spellings = [...text].map((character) => {
    const hex = character.charCodeAt(0).toString(16).padStart(2, '0');
    const encoded = hex.replace(/[a-f]/, (digit) => `[${digit}${digit.toUpperCase()}]`);
    return `(?:\\x${hex}|%${encoded})${character === '/' ? '{1,9}' : ''}`;
  });
  return spellings.join('');
}

/**
 * Requests for Constant Contact v2: which they are, and what they carry as credentials.
 */
import type { IncomingMessage } from 'node:http';
import { bearerToken } from '../callers/teams.ts';
import { searchOf } from '../resource.ts';

/**
 * Whether a request is for v2's API, whatever there is at its path: programs that were written for it read all errors in v2's
 * form. Only the path tells: what a query holds is anybody's.
 */
export function dropInRule(basePath: string): (req: IncomingMessage) => boolean {
  // A target may be a whole URL (RFC 9112 §3.2.2).
  const host = '(?:[a-zA-Z][a-zA-Z\\d+.-]*://[^/?#]*)?';
  const pattern = new RegExp(`^${host}${anySpelling(`${basePath}/v2`)}(?:[/?#]|%2[fF]|$)`);
  return ({ url = '' }) => pattern.test(url);
}

const name = `${anySpelling('api_key')}|(${anySpelling('access_token')})`;
const credentials = new RegExp(`(?:^|&)(?:${name})(?:=[^&]*)?(?=&|$)`, 'g');

/**
 * Takes off a request what it carries as credentials for Constant Contact, before anything can read, log or forward them.
 *
 * @returns the tokens among them that a team may have handed out: of the header, then of the query. One that is given more
 * than once is none, so that a request is good for two guesses and no more.
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
  const isKept = (_: string, at: number) => rawHeaders[at - (at % 2)]?.toLowerCase() !== 'authorization';
  req.rawHeaders = rawHeaders.filter(isKept);
  return authorization;
}

function takeFromQuery(req: IncomingMessage): string | undefined {
  const { url = '' } = req;
  const search = searchOf(url);
  const tokens: string[] = [];
  const kept = search.replace(credentials, (pair, tokenName?: string) => {
    if (tokenName !== undefined) tokens.push(pair);
    return '';
  });
  if (kept.length === search.length) return undefined;
  const rest = kept.startsWith('&') ? kept.slice(1) : kept;
  req.url = `${url.slice(0, url.length - search.length - 1)}${rest === '' ? '' : '?'}${rest}`;
  const [pair] = tokens;
  if (pair === undefined || tokens.length > 1) return undefined;
  return [...new URLSearchParams(pair).values()][0];
}

/** A pattern of a text in which every character may be percent-encoded, and slashes may be doubled. */
function anySpelling(text: string): string {
  const spellings = [...text].map((character) => {
    const hex = character.charCodeAt(0).toString(16).padStart(2, '0');
    const encoded = hex.replace(/[a-f]/, (digit) => `[${digit}${digit.toUpperCase()}]`);
    return `(?:\\x${hex}|%${encoded})${character === '/' ? '+' : ''}`;
  });
  return spellings.join('');
}

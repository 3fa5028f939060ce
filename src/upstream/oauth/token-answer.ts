/**
 * What a token endpoint answers, read so that nothing else in it can cost the refresh token: the one that was sent may be spent.
 */
import { parseJson } from '../../model/json.ts';

/** What an answer brings. */
export interface Grant {
  /** Undefined when it brings none that can be used: `reason` says why. */
  readonly accessToken: string | undefined;
  /** The next refresh token, or the same again where they live long. Kept whatever else the answer says. */
  readonly refreshToken: string | undefined;
  readonly expiresInSeconds: number;
  /** Out of the closed set of a GrantError. */
  readonly reason?: string;
}

/** A life of a day is what the vendor documents. It is taken for any that is missing, cannot be read, is over or is longer. */
const documentedLifeSeconds = 86_400;
/** RFC 6749, appendix A.17: printable ASCII. Okta's have 50 characters, JWTs some thousands. */
const refreshTokenPattern = /^[\x20-\x7e]{1,16384}$/;
/** As in a header: without spaces. */
const accessTokenPattern = /^[\x21-\x7e]{1,16384}$/;
/** An error code as RFC 6749 §5.2 and RFC 8628 §3.5 have them. */
const codePattern = /^[a-z_]{3,40}$/;

export type Fields = Readonly<Record<string, unknown>>;

/** The answer's object; undefined when it is none, or not all of it. Never throws. */
export function fieldsOf(body: string): Fields | undefined {
  try {
    const json = parseJson(body.replace(/^\ufeff/, ''));
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Fields) : undefined;
  } catch {
    return undefined; // The SyntaxError quotes the body, so it ends here.
  }
}

/**
 * Reads an answer to a request for tokens. Never throws.
 *
 * @param failure why this is not the whole answer, as a reason
 */
export function readGrant(status: number, body: string, failure?: string): Grant {
  const fields = fieldsOf(body);
  const named = text(fields?.['refresh_token'], refreshTokenPattern);
  const refreshToken = named ?? text(lastStringOf(body, 'refresh_token'), refreshTokenPattern);
  const accessToken = text(fields?.['access_token'], accessTokenPattern);
  const expiresInSeconds = lifeOf(fields?.['expires_in']);
  const reason = reasonOf(status, fields, failure) ?? whyUnusable();
  function whyUnusable(): string | undefined {
    if (accessToken === undefined) return refreshToken === undefined ? 'unusable-answer' : 'no-access-token';
    return isOtherType(fields?.['token_type']) ? 'token-type' : undefined;
  }
  if (reason === undefined) return { accessToken, refreshToken, expiresInSeconds };
  return { accessToken: undefined, refreshToken, expiresInSeconds, reason };
}

/**
 * Why an answer grants nothing that can be used now; undefined when it looks as if it did.
 *
 * @param failure why the answer did not come to its end; of no consequence where its object did
 */
export function reasonOf(status: number, fields: Fields | undefined, failure?: string): string | undefined {
  if (status === 429) return 'throttled';
  if (status >= 500) return 'http-5xx';
  if (status >= 300 && status < 400) return 'redirect';
  if (!fields) return failure ?? 'unusable-answer';
  const error = fields['error'];
  if (typeof error === 'string' && error !== '') return codePattern.test(error) ? error : 'unusable-answer';
  return status >= 200 && status < 300 ? undefined : 'unusable-answer';
}

/** Whether there is a type that is not ours: it would need another header. None is as good as `Bearer`. */
function isOtherType(type: unknown): boolean {
  return typeof type === 'string' && !/^(bearer)?$/i.test(type.trim());
}

/** Seconds, from 1 to a day. */
function lifeOf(value: unknown): number {
  const seconds = secondsOf(value);
  return seconds === undefined || seconds > documentedLifeSeconds ? documentedLifeSeconds : seconds;
}

/** A number of seconds or a text that is one; undefined for whatever is none, or is not ahead. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\s*\d{1,15}(\.\d{1,15})?\s*$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.max(1, seconds);
}

export function text(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

/**
 * The last value of an object's member that is a whole string, however the text goes on or breaks off behind it: what is read
 * where JSON.parse gives up, or where a name stands twice. One pass; members of nested objects do not count.
 */
function lastStringOf(body: string, name: string): string | undefined {
  if (!/^\ufeff?\s*\{/.test(body)) return undefined;
  let found: string | undefined;
  let key: string | undefined;
  let last: string | undefined;
  for (const part of partsOf(body)) {
    if (part === ':') key = last;
    else {
      last = part.startsWith('"') ? unquoted(part) : undefined;
      if (key === name) found = last ?? found;
      key = undefined;
    }
  }
  return found;
}

const nesting: ReadonlyMap<string, number> = new Map(Object.entries({ '{': 1, '[': 1, '}': -1, ']': -1 }));

/** The brackets of a JSON text, with the strings, colons and commas of its outermost object; up to a string that does not end. */
function* partsOf(body: string): Generator<string> {
  let depth = 0;
  for (let n = 0; n < body.length; n++) {
    const char = body.charAt(n);
    const end = char === '"' ? endOfString(body, n) : n;
    if (end === undefined) return;
    depth += nesting.get(char) ?? 0;
    if (nesting.has(char) || (depth === 1 && /[":,]/.test(char))) yield body.slice(n, end + 1);
    n = end;
  }
}

function endOfString(body: string, start: number): number | undefined {
  for (let n = start + 1; n < body.length; n++) {
    if (body[n] === '\\') n++;
    else if (body[n] === '"') return n;
  }
  return undefined;
}

function unquoted(literal: string): string | undefined {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
}

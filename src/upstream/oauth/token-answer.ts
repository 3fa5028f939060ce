/**
 * Parses responses of the token endpoint so that nothing can cost the refresh token: the one that was sent may be spent.
 */
import { parseJson } from '../../model/json.ts';

/** Content of a response. */
export interface Grant {
  /** Undefined if there is no usable one; `reason` says why. */
  readonly accessToken: string | undefined;
  /** The next refresh token, or the same one if they are long-lived. Kept whatever else the response says. */
  readonly refreshToken: string | undefined;
  readonly expiresInSeconds: number;
  /** From the closed set of a GrantError. */
  readonly reason?: string;
}

/** The documented lifetime, a day. Used if the lifetime is missing, invalid or longer. */
const documentedLifeSeconds = 86_400;
/** RFC 6749, appendix A.17: printable ASCII. Okta's have 50 characters, JWTs some thousands. */
const refreshTokenPattern = /^[\x20-\x7e]{1,16384}$/;
/** Header-safe: no spaces. */
const accessTokenPattern = /^[\x21-\x7e]{1,16384}$/;
/** Error codes of RFC 6749 §5.2 and RFC 8628 §3.5. */
const codePattern = /^[a-z_]{3,40}$/;

export type Fields = Readonly<Record<string, unknown>>;

/** Parses the response's JSON object; undefined if invalid or incomplete. Never throws. */
export function fieldsOf(body: string): Fields | undefined {
  try {
    const json = parseJson(body.replace(/^\ufeff/, ''));
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Fields) : undefined;
  } catch {
    return undefined; // The SyntaxError quotes the body, so it is not passed on.
  }
}

/**
 * Parses a response to a token request. Never throws.
 *
 * @param failure reason why the response is incomplete
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
 * Returns why a response is not a grant; undefined if it looks like one.
 *
 * @param failure why the response is incomplete; ignored if its JSON object is complete
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

/** Whether the token type is unsupported: it would need another header. A missing type counts as `Bearer`. */
function isOtherType(type: unknown): boolean {
  return typeof type === 'string' && !/^(bearer)?$/i.test(type.trim());
}

/** Lifetime in seconds, from 1 to a day. */
function lifeOf(value: unknown): number {
  const seconds = secondsOf(value);
  return seconds === undefined || seconds > documentedLifeSeconds ? documentedLifeSeconds : seconds;
}

/** Parses positive seconds from a number or numeric string; undefined otherwise. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\s*\d{1,15}(\.\d{1,15})?\s*$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.max(1, seconds);
}

export function text(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

/**
 * Returns the last complete string value of a member, even if the text breaks off behind it: used if JSON.parse fails or a
 * name occurs twice. One pass; ignores nested objects.
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

/** Yields brackets, and the outermost object's strings, colons and commas, up to an unterminated string. */
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

/**
 * Recognises the account's limits in responses of Constant Contact and the gateways in front of it, and parses `Retry-After`.
 */
import type { ErrorReply, Reply } from './adapter.ts';

/** The account's limit that a response names. `unnamed`: no credible name, as when a firewall responds to one question. */
export type Limit = 'second' | 'day' | 'unnamed';

/** Characters of a body that are searched for words. */
const maxLooked = 8_192;

/** v2's gateway, Mashery, in the header `X-Mashery-Error-Code`: ERR_403_DEVELOPER_OVER_QPS, …_OVER_RATE. */
const masheryCode = /^ERR_\d{3}_(?:DEVELOPER|ACCOUNT)_OVER_(QPS|RATE)/i;
/** The same limits in the words of its XML, HTML and plain text. */
const masheryWords = /\b(?:developer|account)\s+over\s+(qps|queries\s+per\s+second|rate)\b/i;
/** Messages of v3's gateway, Amazon's API Gateway, with a 429. The second is the usage plan's and so the day's. */
const gatewayLimit = /^(too many requests|limit exceeded)\.?$/i;
/** The name at the start of a body. */
const opening = /^\[?\s*\{\s*"(?:error_key|message)"\s*:\s*"([^"\\]+)"/i;

/**
 * Returns the limit that a response names; undefined if none. A 429 is undocumented in v2, and in v3 stands for both limits:
 * without a name it is `unnamed`.
 *
 * A body may echo caller input, and careless JSON lets an echo add names to it. So if a question contains caller text, a
 * limit is `unnamed` if only words or a name not at the start of the body say so: an echo follows the server's own words. No
 * caller controls a header.
 *
 * @param hasFreeText whether the question contains caller text
 */
export function limitOf({ status, headers, body, error }: ErrorReply, hasFreeText: boolean): Limit | undefined {
  if (status < 400) return undefined;
  const named = inHeader(headers);
  if (named) return named;
  const otherwise = status === 429 ? 'unnamed' : undefined;
  const isProven = (name: string) => !hasFreeText || opening.exec(body.trimStart().slice(0, maxLooked))?.[1] === name;
  const { key, message } = error;
  if (key !== undefined) return believed(inKey(key), isProven(key)) ?? otherwise;
  const said = message === undefined ? undefined : believed(inMessage(message), status === 429 && isProven(message));
  return said ?? believed(inWords(body), !hasFreeText) ?? otherwise;
}

const believed = (limit: Limit | undefined, isProven: boolean): Limit | undefined =>
  limit === undefined || isProven ? limit : 'unnamed';

function inHeader(headers: Reply['headers']): Limit | undefined {
  const code = masheryCode.exec(headers['x-mashery-error-code'] ?? '')?.[1]?.toUpperCase();
  if (code === undefined) return undefined;
  return code === 'QPS' ? 'second' : 'day';
}

/** Matches the whole message of a gateway. */
function inMessage(message: string): Limit | undefined {
  const said = gatewayLimit.exec(message.trim())?.[1]?.toLowerCase();
  if (said === undefined) return undefined;
  return said === 'limit exceeded' ? 'day' : 'second';
}

function inWords(body: string): Limit | undefined {
  const words = masheryWords.exec(body.slice(0, maxLooked))?.[1]?.toLowerCase();
  if (words === undefined) return undefined;
  return words === 'rate' ? 'day' : 'second';
}

/** Keys of v2's gateway (vendor's forum) and of v3 (vendor's documentation). */
function inKey(key: string): Limit | undefined {
  if (key.endsWith('over.qps') || key === 'throttled') return 'second';
  return key.endsWith('over.ratelimit') || key === 'quota_exceeded' ? 'day' : undefined;
}

/** Longest wait accepted: a day. Each use has a tighter bound. */
const maxWaitMs = 86_400_000;
/** RFC 9110 §5.6.7: the current form and the two obsolete ones. */
const httpDate =
  /^(?:[A-Z][a-z]{2,8}, [\w -]{8,12} \d\d:\d\d:\d\d GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

/**
 * Parses `Retry-After` (RFC 9110 §10.2.3) to milliseconds; undefined if absent or invalid.
 *
 * @param nowMs wall time, for a date if the response has no `Date`
 */
export function retryAfterMs(headers: Reply['headers'], nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  if (/^\d{1,12}$/.test(text)) return Math.min(Number(text) * 1000, maxWaitMs);
  const at = dateOf(text);
  if (at === undefined) return undefined;
  // Both dates come from the server's clock.
  const from = dateOf(headers['date'] ?? '') ?? nowMs;
  return Math.min(Math.max(0, at - from), maxWaitMs);
}

function dateOf(text: string): number | undefined {
  if (!httpDate.test(text)) return undefined;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : at;
}

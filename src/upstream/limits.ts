/**
 * Recognises the account's limits in what Constant Contact and the gateways in front of it answer, and reads `Retry-After`.
 */
import type { ErrorReply, Reply } from './adapter.ts';

/** Which of the account's limits an answer names; `unnamed`: none that can be believed, as a firewall may answer one question. */
export type Limit = 'second' | 'day' | 'unnamed';

/** Of a body, the characters in which its words are looked for. */
const maxLooked = 8_192;

/** v2's gateway, Mashery, in the header `X-Mashery-Error-Code`: ERR_403_DEVELOPER_OVER_QPS, …_OVER_RATE. */
const masheryCode = /^ERR_\d{3}_(?:DEVELOPER|ACCOUNT)_OVER_(QPS|RATE)/i;
/** The same in the words of its XML, HTML and plain text. */
const masheryWords = /\b(?:developer|account)\s+over\s+(qps|queries\s+per\s+second|rate)\b/i;
/** The messages of v3's gateway, Amazon's API Gateway, with a 429; the second is the usage plan's, and so the day's. */
const gatewayLimit = /^(too many requests|limit exceeded)\.?$/i;
/** The name with which a body begins. */
const opening = /^\[?\s*\{\s*"(?:error_key|message)"\s*:\s*"([^"\\]+)"/i;

/**
 * The limit that an answer names; undefined where it names none. A 429 is not documented in v2, and in v3 it is the
 * answer of both limits: without a name it may be anybody's.
 *
 * A body may be an echo of what a caller has sent, and JSON that is put together by hand lets a quotation add names to it. So
 * where a question has any text of a caller's in it, words make a limit without a name, and so does a name with which the body
 * does not begin: a quotation stands behind the quoter's own words. No caller has a say in a header.
 *
 * @param hasFreeText whether the question has text in it that a caller has made up
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

/** In the whole of a gateway's message. */
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

/** By v2's gateway (vendor's forum), and by v3 (vendor's documentation). */
function inKey(key: string): Limit | undefined {
  if (key.endsWith('over.qps') || key === 'throttled') return 'second';
  return key.endsWith('over.ratelimit') || key === 'quota_exceeded' ? 'day' : undefined;
}

/** The longest wait that is believed: a day. Each use of it has a closer bound. */
const maxWaitMs = 86_400_000;
/** RFC 9110 §5.6.7, the form that is sent; and the two that are obsolete. */
const httpDate =
  /^(?:[A-Z][a-z]{2,8}, [\w -]{8,12} \d\d:\d\d:\d\d GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/;

/**
 * How long an answer asks to wait, by its `Retry-After` (RFC 9110 §10.2.3), in milliseconds; undefined where there is none
 * that makes sense.
 *
 * @param nowMs wall time, for a date where the answer does not tell its own
 */
export function retryAfterMs(headers: Reply['headers'], nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? '';
  if (/^\d{1,12}$/.test(text)) return Math.min(Number(text) * 1000, maxWaitMs);
  const at = dateOf(text);
  if (at === undefined) return undefined;
  // Both dates are by one clock, whatever ours says.
  const from = dateOf(headers['date'] ?? '') ?? nowMs;
  return Math.min(Math.max(0, at - from), maxWaitMs);
}

function dateOf(text: string): number | undefined {
  if (!httpDate.test(text)) return undefined;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : at;
}

/**
 * Writes refusals of calls over the account's limits, in all forms that Constant Contact's gateways use.
 */
import type { SandboxAnswer } from './answer.ts';

/**
 * v2's gateway: `json` with an `error_key`; `xml` and `html` with a header and words; `header` and `words` with one of the
 * two. v3: `json` is a bare object, `array` an array of one, `gateway` the gateway's own message. `plain`: a 429 without a
 * body.
 */
export type LimitShape = 'json' | 'array' | 'xml' | 'html' | 'header' | 'words' | 'gateway' | 'plain';

/** Forms by version. */
export const limitShapes = {
  v2: ['json', 'xml', 'html', 'header', 'words', 'plain'],
  v3: ['json', 'array', 'gateway', 'plain'],
} as const satisfies Record<string, readonly LimitShape[]>;

type Over = 'second' | 'day';

const mashery = {
  second: { code: 'ERR_403_DEVELOPER_OVER_QPS', words: 'Developer Over Qps', key: 'mashery.not.authorized.over.qps' },
  day: {
    code: 'ERR_403_DEVELOPER_OVER_RATE',
    words: 'Developer Over Rate',
    key: 'mashery.not.authorized.over.ratelimit',
  },
};

/** @param status default 403; 401 was observed too */
export function v2Over(limit: Over, shape: LimitShape, status = 403): SandboxAnswer {
  const { code, words, key } = mashery[limit];
  const headers = { 'X-Mashery-Error-Code': code };
  switch (shape) {
    case 'xml':
      return { status, type: 'text/xml', headers, body: `<h1>${words}</h1>` };
    case 'html':
      return { status, type: 'text/html', headers, body: `<html><body><h1>403 ${words}</h1></body></html>` };
    case 'header':
      return { status, type: 'text/html', headers, body: '' };
    case 'words':
      return { status, type: 'text/plain', body: words };
    case 'plain':
      return { status: 429, type: 'text/plain', body: '' };
    default:
      return { status, body: JSON.stringify([{ error_key: key, error_message: `over its ${limit}'s quota` }]) };
  }
}

const gateway = { second: 'Too Many Requests', day: 'Limit Exceeded' };

export function v3Over(limit: Over, shape: LimitShape): SandboxAnswer {
  const error =
    limit === 'second'
      ? { error_key: 'throttled', error_message: 'The service is throttled.' }
      : { error_key: 'quota_exceeded', error_message: 'The quota of the day is exceeded.' };
  switch (shape) {
    case 'gateway':
      return { status: 429, body: JSON.stringify({ message: gateway[limit] }) };
    case 'plain':
      return { status: 429, type: 'text/plain', body: '' };
    default:
      return { status: 429, body: JSON.stringify(shape === 'array' ? [error] : error) };
  }
}

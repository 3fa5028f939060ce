/**
 * What an answer may differ in from its recording. This is the whole list; everything else is compared byte for byte,
 * the order of headers included.
 */

/** One recorded request, and the status of its answer now. */
interface Replayed {
  readonly target: string;
  readonly status: string | undefined;
}

/** The summary has moved, and has further counts: its old path leads there. Who is refused before that still is. */
export const hasMoved = ({ target, status }: Replayed): boolean =>
  /\/sends\/summary(\?|$)/.test(target) && status === 'HTTP/1.1 308 Permanent Redirect';

/** The directory and a campaign: there were none. */
export const isNewResource = (target: string): boolean => /^\/campaigns(\/\d+)?\/?$/.test(target);

/**
 * Bodies that are others on purpose. There are more resources to describe; and the moved summary's calls are no longer made, so that
 * the counts in a status behind it are lower.
 */
export const hasOtherBody = (target: string, isBehindSummary: boolean): boolean =>
  /\/openapi\.json$/.test(target) || (isBehindSummary && /\/status(\?|$)/.test(target));

/** Replaces the text, so that a text has to be there, and a missing one is seen. */
const text = (value: unknown) => (typeof value === 'string' && value !== '' ? '<text>' : value);

/** Keys of the objects in JSON that are texts for people. */
const textKeys = {
  /** RFC 9457 problems, and the errors of the management listener. `type`, `status`, `instance` and `parameter` stay. */
  problem: ['title', 'detail', 'problem', 'allowed', 'error'],
  /** Errors in v2's form. `error_key` stays. */
  v2: ['error_message'],
  /** OpenAPI, with the texts in its examples of errors. */
  openapi: ['description', 'summary', 'title', 'detail', 'problem', 'allowed', 'error_message'],
} as const;

/**
 * Header lines, with those that node:http adds (`Date`, `Connection`, `Keep-Alive`, in this order) right behind the status line.
 * The first answer of a status in a second has them at its end, and the others of that second have them there.
 */
export function orderOf(head: readonly string[]): readonly string[] {
  const from = head.findIndex((line) => line.startsWith('Date: '));
  if (from === -1) return head;
  let to = from + 1;
  while (/^(Connection|Keep-Alive): /.test(head[to] ?? '')) to++;
  return [...head.slice(0, 1), ...head.slice(from, to), ...head.slice(1, from), ...head.slice(to)];
}

/** Header values that are random or the time, by name. Each stays equal within a run where it was equal. */
export function maskField(
  name: string,
  value: string,
  isPipelined: boolean,
  numberOf: (key: string) => number,
): string {
  switch (name.toLowerCase()) {
    case 'date':
      return '<date>';
    // 128 random bits, where the caller gave none.
    case 'x-request-id':
      return /^[0-9a-f]{32}$/.test(value) ? '<generated>' : value;
    // Each of several requests at once has its own count; the version before counted hits ahead of the others (decision 41).
    case 'ratelimit':
      return isPipelined ? value.replace(/r=\d+/, 'r=<count>') : value;
    // A client's key is salted anew with every start.
    case 'ratelimit-policy':
      return value.replace(/pk=:([\w+/=]+):/, (_, key) => `pk=:<client ${numberOf(key)}>:`);
    default:
      return value;
  }
}

/** What of an answer is a text, by its content type, status and body. */
export interface Masked {
  /** The body as it is compared. */
  readonly body: Buffer | string;
  /** Headers whose values follow from a text, in lower case. */
  readonly fields: readonly string[];
}

interface Answered {
  readonly target: string;
  readonly status: number;
  readonly contentType: string;
  /** Undefined of what has none: HEAD, 304. */
  readonly body: Buffer | undefined;
  readonly requestId: string;
}

export function mask({ target, status, contentType, body, requestId }: Answered): Masked {
  const type = contentType.split(';')[0] ?? '';
  const path = target.split('?')[0] ?? '';
  const isSite = /^text\/(html|css|javascript)$/.test(type) || /\/(docs|problems\/[^/]+|assets\/.+|)$/.test(path);
  // Pages for people, and what is built for browsers: status and headers only.
  if (isSite && (status === 200 || status === 304))
    return { body: body === undefined ? '' : '<for people>', fields: ['etag', 'content-length'] };
  if (/\/openapi\.json$/.test(path) && (status === 200 || status === 304))
    return { body: json(body, textKeys.openapi, requestId), fields: ['etag', 'content-length'] };
  if (type === 'application/problem+json')
    return { body: json(body, textKeys.problem, requestId), fields: ['content-length'] };
  if (status >= 400 && type === 'application/json')
    return {
      body: json(body, [...textKeys.problem, ...textKeys.v2], requestId).replace(newPaths, ''),
      fields: ['content-length'],
    };
  if (/\/metrics$/.test(path) && status === 200) return { body: metricNames(body), fields: ['content-length'] };
  // Pages that were stale, or on their way, were neither forgotten nor counted (decision 33).
  if (/^\/purge/.test(path) && status === 200)
    return { body: (body ?? '').toString().replace(/"pages":\d+/, '"pages":0'), fields: ['content-length'] };
  if (/\/status$/.test(path) && type === 'application/json')
    return { body: statusOf(body), fields: ['content-length'] };
  return { body: body ?? '', fields: [] };
}

/** Bytes of what is held depend on the compression of this Node. There was no storage, and later members are left out. */
function statusOf(body: Buffer | undefined): string {
  const text = (body ?? '').toString().replace(/(?<="cache":\{"bytes":)\d+/, '0');
  const added = [
    ...[/,"storage":\{[^}]*\}/, /,"state":"[\w-]+","since":"[^"]+","pace":\{[^}]*\}/],
    ...[/,"kept":\d+/g, /,"errors":\{(?:"[^"]+":\{[^}]*\},?)*\}/],
  ];
  return added.reduce((rest, member) => rest.replace(member, ''), text);
}

function json(body: Buffer | undefined, keys: readonly string[], requestId: string): string {
  if (body === undefined) return '';
  const isText = (key: string) => keys.includes(key);
  const value = JSON.parse(body.toString(), (key, inner) => {
    if (isText(key)) return text(inner);
    return key === 'instance' && inner === requestId ? '<request id>' : inner;
  });
  return JSON.stringify(value);
}

/** Paths of the management listener that the version before did not have. */
const newPaths = '"/usage","/usage.csv",';

/** Metrics that it did not have. */
const newMetrics =
  /^sendgate_(build_info|upstream_call_wait_seconds_total|upstream_untested|secrets_unreadable|storage_\w+|config_\w+)$/;

/** Labels that it did not have: there was one report, and calls were not counted by team. */
const isNewLabel = (name: string, label: string) =>
  label === 'report' || (name === 'sendgate_upstream_calls_total' && label === 'team');

/** Names, types and label names; no values and no help. Of what is Node's, the names and types. */
function metricNames(body: Buffer | undefined): string {
  const found = new Set<string>();
  for (const line of (body ?? '').toString().split('\n')) {
    const [, name = '', labels = ''] = /^(sendgate_\w+)(?:\{(.*)\})? /.exec(line) ?? [];
    const [, typed = name] = /^# TYPE (\S+)/.exec(line) ?? [];
    if (newMetrics.test(typed)) continue;
    if (line.startsWith('# TYPE ')) found.add(line.slice(2));
    else if (name) {
      const known = [...labels.matchAll(/(\w+)="/g)].filter(([, label = '']) => !isNewLabel(name, label));
      found.add(`${name}{${known.map(([, label]) => label)}}`);
    }
  }
  return [...found].sort().join('\n');
}

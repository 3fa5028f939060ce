/**
 * Every error that a caller can see, in one table (RFC 9457, "Problem Details for HTTP APIs").
 *
 * The texts are constants: no part of an upstream answer, a URL or a credential can get into them.
 */
import { z } from 'zod';

/** Who has to act on a problem, if only by waiting: the caller, Sendgate's operators, or Constant Contact. */
export type Actor = 'caller' | 'operators' | 'Constant Contact';

interface Row {
  readonly status: number;
  readonly actor: Actor;
  readonly title: string;
  /** The default, unless the thrower gives a more exact one. */
  readonly detail: string;
  /** What the caller can do. */
  readonly remedy: string;
}

const table = {
  'invalid-request': {
    status: 400,
    actor: 'caller',
    title: 'Invalid request',
    detail: 'A parameter is invalid; `errors` names it and says what is allowed.',
    remedy: 'Correct the parameters in `errors`. Each entry names one, says what is wrong and what is allowed.',
  },
  'malformed-request': {
    status: 400,
    actor: 'caller',
    title: 'Malformed HTTP request',
    detail: 'The bytes received are not an HTTP/1.1 request. The connection is closed.',
    remedy:
      'Send HTTP/1.1 over plain TCP, with one `Host`. A client that speaks TLS or HTTP/2 needs a proxy in front of Sendgate.',
  },
  'invalid-cursor': {
    status: 400,
    actor: 'caller',
    title: 'Invalid cursor',
    detail:
      'The `next` cursor is invalid, has expired, or continues a walk with other filters. Start again without `next`.',
    remedy:
      'Follow `next_link` unchanged, or start again from the first page, without `next`. A cursor belongs to one list with its filters. It expires when its campaign changes or when Sendgate moves to another version of the API, and may expire with an upgrade of Sendgate.',
  },
  unauthorized: {
    status: 401,
    actor: 'caller',
    title: 'Unknown team',
    detail: 'Sendgate serves known teams only. Send the bearer token of your team.',
    remedy:
      'Send the token of your team as `Authorization: Bearer …`, or enter it in the explorer. Your operators issue the tokens.',
  },
  'origin-not-allowed': {
    status: 403,
    actor: 'operators',
    title: 'Origin not allowed',
    detail: 'Web pages of this origin must not call Sendgate: it is not in `callers.cors.origins`.',
    remedy: 'Ask your operators to add the exact origin of your page to `callers.cors.origins`.',
  },
  'not-found': {
    status: 404,
    actor: 'caller',
    title: 'Path not found',
    detail: 'This path does not exist. The API reference lists those that do, such as GET /campaigns/{id}/sends.',
    remedy: 'Correct the path. The API reference is at `docs`, below the address of Sendgate.',
  },
  'campaign-not-found': {
    status: 404,
    actor: 'caller',
    title: 'Campaign not found',
    detail: 'Constant Contact has no campaign with this id.',
    remedy:
      'Check the id. With v2, a deleted campaign gets this answer too. Sendgate remembers it for a minute; retry after that.',
  },
  'method-not-allowed': {
    status: 405,
    actor: 'caller',
    title: 'Method not allowed',
    detail: 'Sendgate is read-only: use GET or HEAD.',
    remedy: 'Use GET or HEAD.',
  },
  'not-acceptable': {
    status: 406,
    actor: 'caller',
    title: 'No acceptable representation',
    detail: 'This resource is application/json, which `Accept` does not allow.',
    remedy: 'Omit `Accept`, or let it allow the media type that `detail` names.',
  },
  'request-timeout': {
    status: 408,
    actor: 'caller',
    title: 'Request timeout',
    detail: 'The request did not arrive in time. The connection is closed.',
    remedy: 'Send the whole request at once.',
  },
  'expectation-failed': {
    status: 417,
    actor: 'caller',
    title: 'Expectation failed',
    detail: 'The `Expect` header asks for something other than `100-continue`. The connection is closed.',
    remedy: 'Omit `Expect`.',
  },
  'misdirected-request': {
    status: 421,
    actor: 'caller',
    title: 'Host not allowed',
    detail: 'The Host header names a host that is not in `server.allowedHosts`.',
    remedy: 'Use one of the allowed host names, or ask your operators to add this one to `server.allowedHosts`.',
  },
  'rate-limited': {
    status: 429,
    actor: 'caller',
    title: 'Too many requests',
    detail: 'This client exceeded its request rate. Wait the seconds in `Retry-After`.',
    remedy:
      'Wait the seconds in `Retry-After`, then retry. The `RateLimit` header of every answer says how many requests are left.',
  },
  'headers-too-large': {
    status: 431,
    actor: 'caller',
    title: 'Request headers too large',
    detail: 'The headers exceed 16 KiB. The connection is closed.',
    remedy: 'Send at most 200 headers and, with the path, at most 16 KiB. Sendgate needs no cookies.',
  },
  'internal-error': {
    status: 500,
    actor: 'operators',
    title: 'Internal error',
    detail: 'Sendgate failed unexpectedly. Its log has the error under this request id.',
    remedy:
      'Retry once. If it persists, send the request id (`instance`) to your operators, who find the error in the log by it.',
  },
  'upstream-credentials-refused': {
    status: 502,
    actor: 'operators',
    title: 'Credentials refused by Constant Contact',
    detail: "Constant Contact refuses Sendgate's credentials. Operators must replace them or authorize Sendgate again.",
    remedy: "Ask your operators to act: Sendgate's log says which credential to replace.",
  },
  'upstream-gone': {
    status: 502,
    actor: 'operators',
    title: 'API withdrawn by Constant Contact',
    detail:
      'Constant Contact has withdrawn the API version that Sendgate uses. Operators must move from v2 to v3 (`CONSTANT_CONTACT_API=v3`).',
    remedy:
      'Ask your operators to set `CONSTANT_CONTACT_API=v3`, as `docs/first-page-with-v3.md` shows. Cached pages are still served.',
  },
  'upstream-failed': {
    status: 502,
    actor: 'Constant Contact',
    title: 'Constant Contact failed',
    detail: 'Constant Contact returned no usable answer.',
    remedy: 'Retry after a minute; until then Sendgate remembers the failure. Cached pages are still served.',
  },
  'upstream-busy': {
    status: 503,
    actor: 'caller',
    title: 'Constant Contact is unavailable',
    detail: 'The queue of calls to Constant Contact is too long. Wait the seconds in `Retry-After`.',
    remedy:
      'Wait the seconds in `Retry-After`, then retry with fewer requests at once. All teams share a few calls per second.',
  },
  'upstream-quota-exhausted': {
    status: 503,
    actor: 'caller',
    title: 'Daily quota spent',
    detail: 'The daily quota of the account is spent until 00:00 UTC. Cached pages are still served.',
    remedy:
      "Wait the seconds in `Retry-After`, then retry. `detail` says what is spent: the account's daily quota or your team's share of it. Operators can give a team a larger share.",
  },
  'upstream-timeout': {
    status: 504,
    actor: 'Constant Contact',
    title: 'Constant Contact timed out',
    detail: 'Constant Contact did not answer in time.',
    remedy: 'Retry after a minute; until then Sendgate remembers the failure. Cached pages are still served.',
  },
} as const satisfies Record<string, Row>;

export type ProblemCode = keyof typeof table;
export const problems: Readonly<Record<ProblemCode, Row>> = table;
export const problemCodes = Object.keys(table) as [ProblemCode, ...ProblemCode[]];

/** One invalid parameter of a request. Never holds the value itself. */
const invalidParameterSchema = z.object({
  parameter: z.string(),
  problem: z.string().meta({ description: 'What is wrong with it' }),
  allowed: z.string().meta({ description: 'What is allowed' }),
});
export type InvalidParameter = Readonly<z.output<typeof invalidParameterSchema>>;

/** The body of an error. */
export const problemSchema = z.object({
  type: z.string().meta({ description: 'Path of a page that says what happened and what to do' }),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().meta({ description: 'The request id' }),
  errors: z.array(invalidParameterSchema).optional(),
});

/** Path of a problem's page, which `type` points to. */
export const problemPath = (code: string) => `/problems/${code}`;

interface ProblemOptions {
  readonly detail?: string | undefined;
  /** Whole seconds after which the same request may succeed. */
  readonly retryAfterSeconds?: number | undefined;
  readonly errors?: readonly InvalidParameter[] | undefined;
  /** Methods for the `Allow` header of a 405. */
  readonly allow?: string | undefined;
  /** For the `WWW-Authenticate` header of a 401. */
  readonly authenticate?: string | undefined;
  /** For logs and metrics, from a closed set; never shown to callers. */
  readonly reason?: string | undefined;
  /** Whether only this question fails, and would fail again: the cache remembers it. */
  readonly isLasting?: boolean;
}

/**
 * Makes a problem that the cache remembers for `forMs`; its `Retry-After` says the same.
 */
export function remembered(code: ProblemCode, forMs: number, reason?: string): Problem {
  const retryAfterSeconds = code === 'upstream-busy' ? Math.max(1, Math.ceil(forMs / 1000)) : undefined;
  return new Problem(code, { reason, retryAfterSeconds, ...(code === 'upstream-busy' && { detail: askedToWait }) });
}

/** The detail when Constant Contact limits only this question. */
export const askedToWait =
  'Constant Contact, or a firewall in front of it, limits this request. Wait the seconds in `Retry-After`.';

/** The only error that Sendgate throws on purpose. Switch on `code`. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly errors: readonly InvalidParameter[] | undefined;
  readonly allow: string | undefined;
  readonly authenticate: string | undefined;
  readonly reason: string | undefined;
  readonly isLasting: boolean;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(options.detail ?? table[code].detail);
    this.name = 'Problem';
    this.code = code;
    this.status = table[code].status;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.errors = options.errors;
    this.allow = options.allow;
    this.authenticate = options.authenticate;
    this.reason = options.reason;
    this.isLasting = options.isLasting ?? false;
  }

  /** The path of the page that says what happened and what to do. */
  type(basePath: string): string {
    return `${basePath}${problemPath(this.code)}`;
  }

  /** The `application/problem+json` body. `instance` is the request id; `basePath` prefixes the type's URL. */
  body(instance: string, basePath: string): string {
    return JSON.stringify({
      type: this.type(basePath),
      title: table[this.code].title,
      status: this.status,
      detail: this.message,
      instance,
      errors: this.errors && [...this.errors],
    } satisfies z.output<typeof problemSchema>);
  }
}

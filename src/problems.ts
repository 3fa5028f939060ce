/**
 * Every error that a caller can see, in one table (RFC 9457, "Problem Details for HTTP APIs").
 *
 * The texts are constants: nothing of the upstream's answer, of a URL or of a credential can get into them.
 */
import { z } from 'zod';

interface Row {
  readonly status: number;
  readonly title: string;
  /** Said when the thrower has nothing more exact to say. */
  readonly detail: string;
  /** What the caller can do. */
  readonly remedy: string;
}

const table = {
  'invalid-request': {
    status: 400,
    title: 'The request is not valid',
    detail: 'See `errors` for each parameter that has to change.',
    remedy:
      'Change what `errors` names: each entry says which parameter it is, what is wrong with it and what is allowed.',
  },
  'malformed-request': {
    status: 400,
    title: 'This is not HTTP',
    detail: 'What was sent is no HTTP/1.1 request. The connection is closed.',
    remedy: 'Send HTTP/1.1, in plain text, with one `Host`. A client that speaks TLS or HTTP/2 needs a proxy in front.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'The cursor was refused',
    detail: 'Constant Contact does not accept this `next` cursor (any more). Start again without `next`.',
    remedy:
      'Start the walk again, without `next`. Cursors end when a campaign changes, with a change of the API version, and can end with an upgrade of Sendgate.',
  },
  unauthorized: {
    status: 401,
    title: 'The caller is unknown',
    detail: 'Only known teams are answered here. Send the bearer token of yours, or ask the operators.',
    remedy: 'Send the token of your team as `Authorization: Bearer …`. Who operates Sendgate hands them out.',
  },
  'origin-not-allowed': {
    status: 403,
    title: 'The origin is not allowed',
    detail: 'Web pages of this origin may not ask here (setting `callers.cors.origins`).',
    remedy: 'Who operates Sendgate has to add the origin of your page, exactly, to `callers.cors.origins`.',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing at this path',
    detail: 'See /openapi.json for what there is, such as GET /campaigns/{id}/sends.',
    remedy: 'See the description of the API for the paths that there are.',
  },
  'campaign-not-found': {
    status: 404,
    title: 'The campaign is unknown',
    detail: 'Constant Contact knows no sent campaign with this id.',
    remedy:
      'Check the id. A campaign can be found once it has been sent; that it was not found is remembered for a minute.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed',
    detail: 'This can be read only: use GET or HEAD.',
    remedy: 'Use GET or HEAD.',
  },
  'not-acceptable': {
    status: 406,
    title: 'No acceptable representation',
    detail: 'This comes as application/json: let `Accept` allow it.',
    remedy: 'Leave `Accept` out, or let it allow what the resource has.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request was too slow',
    detail: 'The request did not arrive in time. The connection is closed.',
    remedy: 'Send the request again, and all of it at once.',
  },
  'expectation-failed': {
    status: 417,
    title: 'The expectation cannot be met',
    detail: 'The `Expect` header asks for something other than `100-continue`. The connection is closed.',
    remedy: 'Leave `Expect` out.',
  },
  'misdirected-request': {
    status: 421,
    title: 'The host is not served here',
    detail: 'The Host header is not one of the allowed hosts (setting `server.allowedHosts`).',
    remedy: 'Use the name under which Sendgate is meant to be reached, or have it added to `server.allowedHosts`.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    detail: 'This client is over its request rate. Wait as long as `Retry-After` says.',
    remedy:
      'Wait as many seconds as `Retry-After` says. `RateLimit` tells with every answer how many requests are left.',
  },
  'headers-too-large': {
    status: 431,
    title: 'The headers are too large',
    detail: 'A request has at most 16 KiB of headers. The connection is closed.',
    remedy:
      'Send fewer or shorter headers: at most 200 of them, and 16 KiB together with the path. Cookies are not needed.',
  },
  'internal-error': {
    status: 500,
    title: 'Sendgate failed',
    detail: 'An unexpected error; the log has it under this request id.',
    remedy: 'Try again. If it persists, send the request id (`instance`) to your operators.',
  },
  'upstream-credentials-refused': {
    status: 502,
    title: 'Constant Contact refuses our credentials',
    detail:
      'The credentials of Sendgate are not accepted. Its operators have to replace them, or to authorize it again.',
    remedy: 'There is nothing that you can do: Sendgate has logged an error, and its operators have to act.',
  },
  'upstream-gone': {
    status: 502,
    title: 'Constant Contact has withdrawn its API',
    detail:
      'Constant Contact has withdrawn the version of its API that Sendgate is set to use. Its operators have to move to another one: from v2 to v3 (`CONSTANT_CONTACT_API=v3`).',
    remedy:
      'There is nothing that you can do: Sendgate has logged an error, and its operators have to set `CONSTANT_CONTACT_API=v3`, as `docs/first-page-with-v3.md` shows. Pages that are held go on being answered meanwhile.',
  },
  'upstream-failed': {
    status: 502,
    title: 'Constant Contact failed',
    detail: 'Constant Contact gave no usable answer.',
    remedy: 'Try again later. Pages that are held go on being answered meanwhile.',
  },
  'upstream-busy': {
    status: 503,
    title: 'Constant Contact cannot be asked now',
    detail:
      'More pages are asked for than the rate limit of Constant Contact allows. Wait as long as `Retry-After` says.',
    remedy: 'Wait as many seconds as `Retry-After` says, and ask for less at a time. Teams share 4 calls a second.',
  },
  'upstream-quota-exhausted': {
    status: 503,
    title: "The day's quota is spent",
    detail: "The account's calls of the day are spent until 00:00 UTC. Pages that are held go on being served.",
    remedy:
      "`detail` says whose calls are spent: the account's, or your team's part of them. Wait as long as `Retry-After` says; then a call may be had again.",
  },
  'upstream-timeout': {
    status: 504,
    title: 'Constant Contact is too slow',
    detail: 'No complete answer came from Constant Contact in time.',
    remedy: 'Try again later. Pages that are held go on being answered meanwhile.',
  },
} as const satisfies Record<string, Row>;

export type ProblemCode = keyof typeof table;
export const problems: Readonly<Record<ProblemCode, Row>> = table;
export const problemCodes = Object.keys(table) as [ProblemCode, ...ProblemCode[]];

/** One parameter of a request that cannot be taken. Never holds the value itself. */
const invalidParameterSchema = z.object({
  parameter: z.string(),
  problem: z.string().meta({ description: 'What is wrong with it' }),
  allowed: z.string().meta({ description: 'What would be right' }),
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

/** The path of the page that a `type` names. */
export const problemPath = (code: string) => `/problems/${code}`;

interface ProblemOptions {
  readonly detail?: string | undefined;
  /** Whole seconds after which the same request may work. */
  readonly retryAfterSeconds?: number | undefined;
  readonly errors?: readonly InvalidParameter[] | undefined;
  /** Methods for the `Allow` header of a 405. */
  readonly allow?: string | undefined;
  /** For the `WWW-Authenticate` header of a 401. */
  readonly authenticate?: string | undefined;
  /** For logs and metrics, out of a closed set; never shown to callers. */
  readonly reason?: string | undefined;
  /** Whether this one question alone fails, and would again: worth remembering for a while. */
  readonly isLasting?: boolean;
}

/**
 * A problem that is remembered for `forMs`; where it has a `Retry-After`, that is what it says.
 */
export function remembered(code: ProblemCode, forMs: number, reason?: string): Problem {
  const retryAfterSeconds = code === 'upstream-busy' ? Math.max(1, Math.ceil(forMs / 1000)) : undefined;
  return new Problem(code, { reason, retryAfterSeconds, ...(code === 'upstream-busy' && { detail: askedToWait }) });
}

/** Said where Constant Contact asks to wait with one question, and with no other. */
export const askedToWait =
  'Constant Contact, or a firewall in front of it, asks to wait with this question. Wait as long as `Retry-After` says.';

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

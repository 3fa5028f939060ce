/**
 * Every error that a caller can see, in one table (RFC 9457, "Problem Details for HTTP APIs").
 *
 * The texts are constants: nothing of the upstream's answer, of a URL or of a credential can get into them.
 */

interface Row {
  readonly status: number;
  readonly title: string;
  /** Said when the thrower has nothing more exact to say. */
  readonly detail: string;
}

const table = {
  'invalid-request': {
    status: 400,
    title: 'The request is not valid',
    detail: 'See `errors` for each parameter that has to change.',
  },
  'invalid-cursor': {
    status: 400,
    title: 'The cursor was refused',
    detail: 'Constant Contact does not accept this `next` cursor (any more). Start again without `next`.',
  },
  unauthorized: {
    status: 401,
    title: 'The caller is unknown',
    detail: 'Only known teams are answered here. Send the bearer token of yours, or ask the operators.',
  },
  'origin-not-allowed': {
    status: 403,
    title: 'The origin is not allowed',
    detail: 'Web pages of this origin may not ask here (setting `callers.cors.origins`).',
  },
  'not-found': {
    status: 404,
    title: 'There is nothing at this path',
    detail: 'Ask GET /campaigns/{id}/sends.',
  },
  'campaign-not-found': {
    status: 404,
    title: 'The campaign is unknown',
    detail: 'Constant Contact knows no sent campaign with this id.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed',
    detail: 'Sends can be read only: use GET or HEAD.',
  },
  'not-acceptable': {
    status: 406,
    title: 'No acceptable representation',
    detail: 'Sends come as application/json: let `Accept` allow it.',
  },
  'misdirected-request': {
    status: 421,
    title: 'The host is not served here',
    detail: 'The Host header is not one of the allowed hosts (setting `server.allowedHosts`).',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    detail: 'This client is over its request rate. Wait as long as `Retry-After` says.',
  },
  'internal-error': {
    status: 500,
    title: 'Sendgate failed',
    detail: 'An unexpected error; the log has it under this request id.',
  },
  'upstream-credentials-refused': {
    status: 502,
    title: 'Constant Contact refuses our credentials',
    detail:
      'The credentials of Sendgate are not accepted. Its operators have to replace them, or to authorize it again.',
  },
  'upstream-failed': {
    status: 502,
    title: 'Constant Contact failed',
    detail: 'Constant Contact gave no usable answer.',
  },
  'upstream-busy': {
    status: 503,
    title: 'Constant Contact cannot be asked now',
    detail:
      'More pages are asked for than the rate limit of Constant Contact allows. Wait as long as `Retry-After` says.',
  },
  'upstream-quota-exhausted': {
    status: 503,
    title: "The day's quota is spent",
    detail: 'Constant Contact takes no more calls until 00:00 UTC. Pages that are held go on being served.',
  },
  'upstream-timeout': {
    status: 504,
    title: 'Constant Contact is too slow',
    detail: 'No complete answer came from Constant Contact in time.',
  },
} as const satisfies Record<string, Row>;

export type ProblemCode = keyof typeof table;
export const problemCodes = Object.keys(table) as [ProblemCode, ...ProblemCode[]];

/** One parameter of a request that cannot be taken. Never holds the value itself. */
export interface InvalidParameter {
  readonly parameter: string;
  readonly problem: string;
  readonly allowed: string;
}

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
}

/** The only error that Sendgate throws on purpose. Switch on `code`. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly errors: readonly InvalidParameter[] | undefined;
  readonly allow: string | undefined;
  readonly authenticate: string | undefined;
  readonly reason: string | undefined;

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
  }

  /** The `application/problem+json` body. `instance` is the request id; `basePath` prefixes the type's URL. */
  body(instance: string, basePath: string): string {
    return JSON.stringify({
      type: `${basePath}/problems/${this.code}`,
      title: table[this.code].title,
      status: this.status,
      detail: this.message,
      instance,
      errors: this.errors,
    });
  }
}

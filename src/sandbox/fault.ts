/**
 * Injects faults: what gateways, networks and outages do to a response.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxAnswer } from './answer.ts';
import { type ErrorShape, type ErrorStyle, errorIn, forbidden } from './error-shapes.ts';
import type { LimitShape } from './limit-shapes.ts';
import { leak } from './odd.ts';

export type FaultKind =
  | 'latency'
  | 'hang'
  | 'hang-mid-body'
  | 'reset'
  | 'reset-mid-body'
  | 'malformed'
  | 'wrong-schema'
  | 'empty'
  | 'html'
  | 'redirect'
  | 'oversize'
  | 'echo'
  | 'status'
  | 'over-qps'
  | 'over-ratelimit'
  | 'gone'
  | 'access-denied'
  | 'forbidden'
  | 'firewall';

export interface Fault {
  readonly kind: FaultKind;
  /** Strikes token requests instead of API calls. */
  readonly target?: 'token';
  /** Only calls for this campaign. Default all. */
  readonly campaign?: string;
  /** Only calls with this text in the path. */
  readonly path?: string;
  /** Only calls with these query parameters and texts in their values: a cursor, or one of several ids. */
  readonly query?: Readonly<Record<string, string>>;
  /** Number of calls to strike. Default all. */
  readonly times?: number;
  /** Strikes only every n-th matching call. */
  readonly every?: number;
  /** For `latency`: the delay, after which the call continues. */
  readonly ms?: number;
  /** For `status`; for `gone`, default 400; for `firewall` and v2's limits, default 403. */
  readonly status?: number;
  /** For `status`, `gone` and `access-denied`: the form of the body. Default that of the version. */
  readonly errorAs?: ErrorShape;
  /** For `firewall`: its page. `json` is concatenated without escaping, so that quoted input can add to it. Default HTML. */
  readonly page?: 'html' | 'json';
  /** For `over-qps` and `over-ratelimit`: the form of the response. */
  readonly limitsAs?: LimitShape;
  /** `Retry-After` of the response. */
  readonly retryAfter?: string;
  /** Headers with ids of the call, instead of `x-amzn-requestid` and `x-eig-tracking-id`. */
  readonly requestIds?: Readonly<Record<string, string>>;
  /** For `redirect`: the target. */
  readonly location?: string;
}

/** A call struck by a fault. */
interface Struck {
  readonly fault: Fault;
  readonly style: ErrorStyle;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Body of the request. */
  readonly text: string;
}

/** Strikes a call with body `text`. Returns whether the call has ended with that. */
export async function strike(
  fault: Fault,
  style: ErrorStyle,
  req: IncomingMessage,
  res: ServerResponse,
  text: string,
): Promise<boolean> {
  if (fault.requestIds) {
    for (const name of ['x-amzn-requestid', 'x-eig-tracking-id']) res.removeHeader(name);
    for (const [name, value] of Object.entries(fault.requestIds)) res.setHeader(name, value);
  }
  if (fault.retryAfter !== undefined) res.setHeader('Retry-After', fault.retryAfter);
  await strikes[fault.kind]({ fault, style, req, res, text });
  return fault.kind !== 'latency';
}

const strikes: Readonly<Record<FaultKind, (struck: Struck) => unknown>> = {
  latency: ({ fault }) => delay(fault.ms ?? 0),
  hang: () => {},
  'hang-mid-body': ({ res }) => res.writeHead(200, { 'Content-Type': 'application/json' }).write('{"meta":'),
  reset: ({ req }) => req.socket.resetAndDestroy(),
  'reset-mid-body': ({ req, res }) =>
    res
      .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1_000 })
      .write('{"meta":', () => req.socket.resetAndDestroy()),
  malformed: ({ res }) =>
    send(res, { status: 200, body: `{"meta":{"pagination":{}},"results":[{"email_address":"${leak}"` }),
  'wrong-schema': ({ res }) =>
    send(res, {
      status: 200,
      body: `{"meta":{"pagination":{}},"results":["${leak}"],"tracking_activities":["${leak}"]}`,
    }),
  empty: ({ res }) => send(res, { status: 200, body: '' }),
  html: ({ req, res }) =>
    send(res, {
      status: 502,
      type: 'text/html',
      body: `<html><body><h1>502 Bad Gateway</h1>${req.url}</body></html>`,
    }),
  redirect: ({ fault, req, res }) =>
    res.writeHead(302, { Location: fault.location ?? `http://127.0.0.1:9/elsewhere${req.url}` }).end(),
  oversize: ({ res }) => oversize(res),
  echo: ({ style, req, res, text }) => {
    const message = `failed: ${req.url} ${req.headers.authorization} ${text}`;
    send(res, style.error(500, 'http.status.internal_server_error', message));
  },
  status: (struck) => error(struck, struck.fault.status ?? 500, 'sandbox.fault', `refused: ${struck.req.url}`),
  'over-qps': ({ fault, style, res }) => send(res, style.over('second', fault.limitsAs ?? 'json', fault.status)),
  'over-ratelimit': ({ fault, style, res }) => send(res, style.over('day', fault.limitsAs ?? 'json', fault.status)),
  gone: (struck) => error(struck, struck.fault.status ?? 400, 'http.status.gone', 'This version of the API is gone.'),
  'access-denied': (struck) => error(struck, 403, 'access_denied', 'You do not have the privilege.'),
  forbidden: ({ res }) => send(res, forbidden),
  firewall: ({ fault, req, res }) => send(res, firewallPage(fault, req.url ?? '')),
};

function error({ fault, style, res }: Struck, status: number, key: string, message: string): void {
  send(res, fault.errorAs ? errorIn(fault.errorAs, status, key, message) : style.error(status, key, message));
}

/** Sends a response with the headers set so far, uncompressed. */
function send(res: ServerResponse, { status, type = 'application/json', headers, body }: SandboxAnswer): void {
  for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value);
  res.writeHead(status, { 'Content-Type': type }).end(body);
}

/** Response of a firewall in front of the API: quotes the request, raw and decoded. */
function firewallPage({ status = 403, page }: Fault, url: string): SandboxAnswer {
  return page === 'json'
    ? { status, body: `{"message":"Request blocked: ${quoted(url)}"}` }
    : {
        status,
        type: 'text/html',
        body: `<html><body><h1>Request blocked</h1><p>${url}</p><p>${quoted(url)}</p></body></html>`,
      };
}

const quoted = (url: string) =>
  [...new URL(url, 'http://sandbox').searchParams].map(([name, value]) => `${name}=${value}`).join(' ');

/** Size of an `oversize` response: above every sane bound, and practically endless to a client. */
const oversizeBytes = 64 * 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, ' ');

/** Sends spaces until the client closes the connection. */
function oversize(res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'application/json' });
  let left = oversizeBytes;
  const pour = () => {
    while (left > 0 && !res.destroyed) {
      left -= chunk.length;
      if (!res.write(chunk)) {
        res.once('drain', pour);
        return;
      }
    }
    res.end();
  };
  pour();
}

/**
 * Faults on request: what gateways, networks and bad days do to an answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { LimitShape } from './limit-shapes.ts';
import { leak } from './odd.ts';
import type { SandboxAnswer } from './v2.ts';

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
  /** Calls for tokens instead of those of the API. */
  readonly target?: 'token';
  /** Only calls for this campaign; all without it. */
  readonly campaign?: string;
  /** Only calls whose path contains this text. */
  readonly path?: string;
  /** Only calls whose query has these parameters, with values that contain these texts: a cursor, or an id among several. */
  readonly query?: Readonly<Record<string, string>>;
  /** Calls that it strikes; all of them without it. */
  readonly times?: number;
  /** Only every n-th call that it could strike. */
  readonly every?: number;
  /** For `latency`: how long; the call then goes on. */
  readonly ms?: number;
  /** For `status`; for `gone`, 400 without it; for `firewall`, 403; for v2's limits, 403. */
  readonly status?: number;
  /** For `status`, `gone` and `access-denied`: in what body; that of the version without it. */
  readonly errorAs?: ErrorShape;
  /** For `firewall`: its page; `json` is put together by hand, so that what it quotes can add to it. HTML without it. */
  readonly page?: 'html' | 'json';
  /** For `over-qps` and `over-ratelimit`: how they are told. */
  readonly limitsAs?: LimitShape;
  /** `Retry-After` of the answer. */
  readonly retryAfter?: string;
  /** Headers with ids of the call, in place of `x-amzn-requestid` and `x-eig-tracking-id`. */
  readonly requestIds?: Readonly<Record<string, string>>;
  /** For `redirect`: where to. */
  readonly location?: string;
}

/** The bodies that errors have: Constant Contact's own two, that of v3's gateway, and those of gateways in front of v2. */
export const errorShapes = ['array', 'object', 'gateway', 'html', 'xml', 'nothing'] as const;
export type ErrorShape = (typeof errorShapes)[number];

/** Bytes of an `oversize` answer: over every sane bound, and endless as far as a client can tell. */
const oversizeBytes = 64 * 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, ' ');

/** How a version of the API tells errors. */
export interface ErrorStyle {
  error(status: number, key: string, message: string): SandboxAnswer;
  /** More calls than the account may make. */
  over(limit: 'second' | 'day', shape: LimitShape, status?: number): SandboxAnswer;
}

/** Strikes one call, with `text` as its body. Returns whether the call is answered with that. */
export async function strike(
  fault: Fault,
  style: ErrorStyle,
  req: IncomingMessage,
  res: ServerResponse,
  text: string,
): Promise<boolean> {
  const answer = (status: number, type: string, body: string) => {
    res.writeHead(status, { 'Content-Type': type }).end(body);
    return true;
  };
  const send = ({ status, type = 'application/json', headers, body }: SandboxAnswer) => {
    for (const [name, value] of Object.entries(headers ?? {})) res.setHeader(name, value);
    return answer(status, type, body);
  };
  if (fault.requestIds) {
    for (const name of ['x-amzn-requestid', 'x-eig-tracking-id']) res.removeHeader(name);
    for (const [name, value] of Object.entries(fault.requestIds)) res.setHeader(name, value);
  }
  if (fault.retryAfter !== undefined) res.setHeader('Retry-After', fault.retryAfter);
  const error = (status: number, key: string, message: string) =>
    send(fault.errorAs ? errorIn(fault.errorAs, status, key, message) : style.error(status, key, message));
  switch (fault.kind) {
    case 'latency':
      await delay(fault.ms ?? 0);
      return false;
    case 'hang':
      return true;
    case 'hang-mid-body':
      res.writeHead(200, { 'Content-Type': 'application/json' }).write('{"meta":');
      return true;
    case 'reset':
      req.socket.resetAndDestroy();
      return true;
    case 'reset-mid-body':
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 1_000 }).write('{"meta":', () => {
        req.socket.resetAndDestroy();
      });
      return true;
    case 'malformed':
      return answer(200, 'application/json', `{"meta":{"pagination":{}},"results":[{"email_address":"${leak}"`);
    case 'wrong-schema':
      return answer(
        200,
        'application/json',
        `{"meta":{"pagination":{}},"results":["${leak}"],"tracking_activities":["${leak}"]}`,
      );
    case 'empty':
      return answer(200, 'application/json', '');
    case 'html':
      return answer(502, 'text/html', `<html><body><h1>502 Bad Gateway</h1>${req.url}</body></html>`);
    case 'redirect':
      res.writeHead(302, { Location: fault.location ?? `http://127.0.0.1:9/elsewhere${req.url}` }).end();
      return true;
    case 'oversize':
      return oversize(res);
    case 'echo':
      return send(
        style.error(
          500,
          'http.status.internal_server_error',
          `failed: ${req.url} ${req.headers.authorization} ${text}`,
        ),
      );
    case 'status':
      return error(fault.status ?? 500, 'sandbox.fault', `refused: ${req.url}`);
    case 'over-qps':
      return send(style.over('second', fault.limitsAs ?? 'json', fault.status));
    case 'over-ratelimit':
      return send(style.over('day', fault.limitsAs ?? 'json', fault.status));
    case 'gone':
      return error(fault.status ?? 400, 'http.status.gone', 'This version of the API is gone.');
    case 'access-denied':
      return error(403, 'access_denied', 'You do not have the privilege.');
    case 'forbidden':
      return send(forbidden);
    case 'firewall':
      return fault.page === 'json'
        ? answer(fault.status ?? 403, 'application/json', `{"message":"Request blocked: ${quoted(req.url ?? '')}"}`)
        : answer(fault.status ?? 403, 'text/html', firewallPage(req.url ?? ''));
  }
}

/** What v3's gateway says of a path that is none (recorded traffic). */
export const forbidden: SandboxAnswer = { status: 403, body: JSON.stringify({ message: 'Forbidden' }) };

function errorIn(shape: ErrorShape, status: number, error_key: string, error_message: string): SandboxAnswer {
  const error = { error_key, error_message };
  switch (shape) {
    case 'array':
      return { status, body: JSON.stringify([error]) };
    case 'object':
      return { status, body: JSON.stringify(error) };
    case 'gateway':
      return { status, body: JSON.stringify({ message: error_message }) };
    case 'html':
      return { status, type: 'text/html', body: `<html><body><h1>${status}</h1>${error_message}</body></html>` };
    case 'xml':
      return { status, type: 'text/xml', body: `<h1>${status} ${error_message}</h1>` };
    case 'nothing':
      return { status, body: '' };
  }
}

/** What a firewall in front of the API says, which quotes what it was asked, as it came and decoded. */
function firewallPage(url: string): string {
  return `<html><body><h1>Request blocked</h1><p>${url}</p><p>${quoted(url)}</p></body></html>`;
}

const quoted = (url: string) =>
  [...new URL(url, 'http://sandbox').searchParams].map(([name, value]) => `${name}=${value}`).join(' ');

/** Sends spaces until the client has had enough. */
function oversize(res: ServerResponse): true {
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
  return true;
}

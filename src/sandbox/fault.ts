/**
 * Faults on request: what gateways, networks and bad days do to an answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
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
  | 'over-ratelimit';

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
  /** For `status`. */
  readonly status?: number;
  /** For `redirect`: where to. */
  readonly location?: string;
}

/** Bytes of an `oversize` answer: over every sane bound, and endless as far as a client can tell. */
const oversizeBytes = 64 * 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, ' ');

/** How a version of the API tells errors. */
export interface ErrorStyle {
  error(status: number, key: string, message: string): SandboxAnswer;
  /** More calls than the account may make. */
  readonly over: Readonly<Record<'second' | 'day', SandboxAnswer>>;
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
  const json = ({ status, body }: SandboxAnswer) => answer(status, 'application/json', body);
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
      return answer(
        200,
        'application/json',
        '{"meta":{"pagination":{}},"results":[{"email_address":"leak@example.com"',
      );
    case 'wrong-schema':
      return answer(
        200,
        'application/json',
        '{"meta":{"pagination":{}},"results":[{"email_address":"leak@example.com"}]}',
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
      return json(
        style.error(
          500,
          'http.status.internal_server_error',
          `failed: ${req.url} ${req.headers.authorization} ${text}`,
        ),
      );
    case 'status':
      return json(style.error(fault.status ?? 500, 'sandbox.fault', `refused: ${req.url}`));
    case 'over-qps':
      return json(style.over.second);
    case 'over-ratelimit':
      return json(style.over.day);
  }
}

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

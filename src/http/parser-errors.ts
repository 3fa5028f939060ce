/**
 * Handles input that node:http cannot parse or for which it makes no response.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';

/** Converts a parser error to a Problem; undefined for an error of the connection itself. */
export function problemOf({ code = '' }: NodeJS.ErrnoException): Problem | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem('headers-too-large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request-timeout');
  return code.startsWith('HPE_') ? new Problem('malformed-request') : undefined;
}

/** Whether a request lacks only the end of its body: it is answered like any other. */
export function isBodyOpen(socket: Socket): boolean {
  const { parser } = socket as { parser?: { readonly incoming?: IncomingMessage | null } | null };
  return parser?.incoming?.complete === false;
}

/** Runs after a response in progress. Hits are not watched: node:http may still send one on a connection that counts as free. */
export function afterSending(socket: Socket, run: () => void): void {
  const { _httpMessage: sending } = socket as { _httpMessage?: ServerResponse | null };
  if (sending) sending.once('close', run);
  else run();
}

/** OpenTelemetry's name for an unknown method. */
const unknownMethod = '_OTHER';

/** Makes a response on a connection without one. Closes the connection once it is sent. */
export function responseOn(socket: Socket, clock: Clock, given?: IncomingMessage): ServerResponse {
  const req = given ?? new IncomingMessage(socket);
  req.method ??= unknownMethod;
  const res = new ServerResponse(req);
  res.assignSocket(socket);
  res.once('finish', () => {
    res.detachSocket(socket);
    process.nextTick(() => res.emit('close'));
    endAfterReading(socket, clock);
  });
  return res;
}

/** How long further input is read and discarded. */
const lingerMs = 1_000;

/** Closes a connection after discarding further input: with unread input, the system would reset it and lose the response. */
export function endAfterReading(socket: Socket, clock: Clock): void {
  socket.end();
  socket.resume();
  socket.once(
    'close',
    clock.after(lingerMs, () => socket.destroy()),
  );
}

/**
 * What is no request: input that node:http cannot parse, or for which it makes no response.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';

/** What an error of the parser means to the caller; undefined for an error of the connection itself. */
export function problemOf({ code = '' }: NodeJS.ErrnoException): Problem | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem('headers-too-large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request-timeout');
  return code.startsWith('HPE_') ? new Problem('malformed-request') : undefined;
}

/** Whether a request has come but for the end of its body: that one is answered as any. */
export function isBodyOpen(socket: Socket): boolean {
  const { parser } = socket as { parser?: { readonly incoming?: IncomingMessage | null } | null };
  return parser?.incoming?.complete === false;
}

/** A response to a hit is not watched: node:http may still be sending it when the connection counts as free. */
export function afterSending(socket: Socket, run: () => void): void {
  const { _httpMessage: sending } = socket as { _httpMessage?: ServerResponse | null };
  if (sending) sending.once('close', run);
  else run();
}

/** OpenTelemetry's name of a method that is not known. */
const unknownMethod = '_OTHER';

/** A response on a connection that has none. Once it is sent, the connection is closed. */
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

/** How long what a caller goes on sending is read and thrown away. */
const lingerMs = 1_000;

/** Closes a connection on which more may be coming: if that were left unread, the system would take the answer back with a reset. */
export function endAfterReading(socket: Socket, clock: Clock): void {
  socket.end();
  socket.resume();
  socket.once(
    'close',
    clock.after(lingerMs, () => socket.destroy()),
  );
}

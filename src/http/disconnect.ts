/**
 * Aborts work for a client that disconnects.
 */
import type { ServerResponse } from 'node:http';

/** Abort reason when the client disconnects. */
export const clientDisconnected = new Error('the client has disconnected');

/** Returns a signal that aborts when the client disconnects; already aborted if it has. */
export function untilDisconnected(res: ServerResponse): AbortSignal {
  if (res.destroyed) return AbortSignal.abort(clientDisconnected);
  const gone = new AbortController();
  res.once('close', () => gone.abort(clientDisconnected));
  return gone.signal;
}

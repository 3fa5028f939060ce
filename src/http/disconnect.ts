/**
 * Ends what is done for a client that has disconnected.
 */
import type { ServerResponse } from 'node:http';

/** Abort reason when the client disconnects. */
export const clientDisconnected = new Error('the client has disconnected');

/** Aborts when the client disconnects; aborted from the start where it already has. */
export function untilDisconnected(res: ServerResponse): AbortSignal {
  if (res.destroyed) return AbortSignal.abort(clientDisconnected);
  const gone = new AbortController();
  res.once('close', () => gone.abort(clientDisconnected));
  return gone.signal;
}

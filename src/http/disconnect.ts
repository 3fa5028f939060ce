/**
 * Ends what is done for a client that has disconnected.
 */
import type { ServerResponse } from 'node:http';

/** Abort reason when the client disconnects. */
export const callerGone = new Error('the client has disconnected');

/** Aborts when the client disconnects; aborted from the start where it already has. */
export function untilGone(res: ServerResponse): AbortSignal {
  if (res.destroyed) return AbortSignal.abort(callerGone);
  const gone = new AbortController();
  res.once('close', () => gone.abort(callerGone));
  return gone.signal;
}

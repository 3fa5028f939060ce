/**
 * How many connections there may be, and how many of them one peer may hold.
 */
import { type Clock, onceAMinute } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { ConnectionLimits } from '../http/connections.ts';
import type { Logger } from '../observability/log.ts';
import type { Addresses } from './address.ts';
import { parseIp } from './ip.ts';
import { networkOf } from './rate-limit/rate-limit.ts';

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly addresses: Addresses;
}

/** Of the connections of a process, what one peer may hold. */
const partOfPeer = 1 / 4;

/**
 * The limits of one process that answers. A trusted proxy speaks for many and is not counted; loopback is, since a local proxy
 * that is not trusted cannot be told from a local client.
 */
export function connectionLimits(
  { server, exports }: Pick<Config, 'server' | 'exports'>,
  { clock, log, addresses }: Parts,
): ConnectionLimits {
  const maxConnections = Math.ceil(server.maxConnections / server.workers);
  const maxPerPeer = Math.max(1, Math.floor(maxConnections * partOfPeer));
  const { patienceSeconds } = exports;
  const onFull = onceAMinute(clock, () =>
    log.warn({ event: 'connections.full', maxConnections }, 'connection limit reached; rejecting new connections'),
  );
  /** The last peer to which one of these happened: a line a minute names one. */
  let peer: string | undefined;
  const onPeerFull = onceAMinute(clock, () =>
    log.warn(
      { event: 'connections.peer-full', peer, maxPerPeer },
      'one peer holds a quarter of the connections; rejecting more from it (if it is a proxy, name it in server.trustProxy; otherwise raise server.maxConnections)',
    ),
  );
  const onStalled = onceAMinute(clock, () =>
    log.warn(
      { event: 'connections.stalled', peer, patienceSeconds },
      'a reader took next to nothing for exports.patienceSeconds; connection reset',
    ),
  );
  return {
    ...{ maxConnections, maxPerPeer, patienceMs: patienceSeconds * 1000 },
    peerOf: (socket) => (addresses.isProxy(socket) ? undefined : networkOf(parseIp(socket.remoteAddress ?? ''))),
    onRejected: (limit, rejected) => {
      peer = rejected;
      if (limit === 'all') onFull(undefined);
      else onPeerFull(undefined);
    },
    onStalled: (stalled) => {
      peer = stalled;
      onStalled(undefined);
    },
  };
}

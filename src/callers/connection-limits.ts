/**
 * Limits connections, in total and per peer.
 */
import { type Clock, onceAMinute } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import type { ConnectionLimits } from '../http/connections.ts';
import type { Addresses } from './address.ts';
import { parseIp } from './ip.ts';
import { networkOf } from './rate-limit/client-key.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly addresses: Addresses;
}

/** Fraction of a process's connections that one peer can hold. */
const partOfPeer = 1 / 4;

/**
 * The limits of one answering process. Does not count trusted proxies, which speak for many clients. Counts loopback: an
 * untrusted local proxy looks like a local client.
 */
export function connectionLimits(
  { server, exports }: Pick<Config, 'server' | 'exports'>,
  { clock, emit, addresses }: Parts,
): ConnectionLimits {
  const maxConnections = Math.ceil(server.maxConnections / server.workers);
  const maxPerPeer = Math.max(1, Math.floor(maxConnections * partOfPeer));
  const { patienceSeconds } = exports;
  const onFull = onceAMinute(clock, () => emit('connections.full', { maxConnections }));
  /** The last peer affected: each event, at most one a minute, names one. */
  let peer: string | undefined;
  const onPeerFull = onceAMinute(clock, () => emit('connections.peer-full', { peer, maxPerPeer }));
  const onStalled = onceAMinute(clock, () => emit('connections.stalled', { peer, patienceSeconds }));
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

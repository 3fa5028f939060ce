/**
 * Tracks the connections of a server: limits them in total and per peer, and resets those with stalled readers.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Connection } from './connection.ts';

export interface ConnectionLimits {
  /** Open connections. Any more are closed at once. */
  readonly maxConnections: number;
  /** Open connections of one peer. */
  readonly maxPerPeer: number;
  /** Names the peer for its count; undefined for one without a limit, such as a trusted proxy. */
  readonly peerOf: (socket: Socket) => string | undefined;
  /** How long a response waits for a stalled reader before its connection is reset. */
  readonly patienceMs: number;
  readonly onRejected: (limit: 'all' | 'peer', peer: string | undefined) => void;
  readonly onStalled: (peer: string | undefined) => void;
}

/** Interval of checks for stalled readers, and so the delay of a reset. */
const lookEveryMs = 1_000;

/** All connections of one server. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #all = new Set<Connection>();
  readonly #busy = new Set<Connection>();
  readonly #held = new Map<string, number>();
  #stopLooking: (() => void) | undefined;
  #quietSince = 0;
  isDraining = false;

  constructor(limits: ConnectionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Accepts a new connection, or closes it at once over a limit. */
  accept(socket: Socket): void {
    const { maxConnections, maxPerPeer, peerOf, onRejected } = this.#limits;
    const peer = peerOf(socket);
    const held = peer === undefined ? 0 : (this.#held.get(peer) ?? 0);
    if (this.#all.size >= maxConnections || held >= maxPerPeer) {
      socket.destroy();
      onRejected(this.#all.size >= maxConnections ? 'all' : 'peer', peer);
      return;
    }
    if (peer !== undefined) this.#held.set(peer, held + 1);
    const connection = new Connection(socket, this, this.#clock.monotonic());
    this.#all.add(connection);
    socket.once('close', () => {
      this.#all.delete(connection);
      if (peer !== undefined) this.#release(peer);
      connection.endAsked();
    });
  }

  /** Makes responses from now on the last of their connections. */
  startDraining(): void {
    if (this.isDraining) return;
    this.isDraining = true;
    this.#quietSince = this.#clock.monotonic();
  }

  /** Whether no request has been open for this long. */
  isQuietFor(ms: number): boolean {
    return this.#busy.size === 0 && this.#clock.monotonic() - this.#quietSince >= ms;
  }

  /**
   * Closes connections that never received a byte, such as browsers and balancers open in advance: node:http treats them as
   * requests about to arrive.
   *
   * @param ms grace for the first request of a connection
   */
  closeUnusedFor(ms: number): void {
    const now = this.#clock.monotonic();
    for (const { socket, openedAt } of this.#all) if (socket.bytesRead === 0 && now - openedAt >= ms) socket.destroy();
  }

  closeAll(): void {
    this.#stopLooking?.();
    for (const { socket } of this.#all) socket.destroy();
  }

  markBusy(connection: Connection): void {
    this.#busy.add(connection);
    connection.startPatience(this.#clock.monotonic());
    this.#look();
  }

  markFree(connection: Connection): void {
    this.#busy.delete(connection);
    this.#quietSince = this.#clock.monotonic();
  }

  #look(): void {
    if (this.#stopLooking) return;
    const { patienceMs, onStalled, peerOf } = this.#limits;
    this.#stopLooking = this.#clock.after(Math.min(lookEveryMs, patienceMs / 10), () => {
      this.#stopLooking = undefined;
      const now = this.#clock.monotonic();
      for (const connection of this.#busy) {
        if (!connection.hasStalled(now, patienceMs)) continue;
        onStalled(peerOf(connection.socket));
        connection.socket.resetAndDestroy();
      }
      if (this.#busy.size > 0) this.#look();
    });
  }

  #release(peer: string): void {
    const left = (this.#held.get(peer) ?? 0) - 1;
    if (left > 0) this.#held.set(peer, left);
    else this.#held.delete(peer);
  }
}

/**
 * Tracks the connections of a server: limits them and the requests that queue on them, in total and per peer, and resets those with
 * stalled readers.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Connection } from './connection.ts';
import { Places } from './places.ts';

export interface ConnectionLimits {
  /** Open connections. Any more are closed at once. As many requests, or `maxAsked`, may queue behind others. */
  readonly maxConnections: number;
  /** The same, of one peer. */
  readonly maxPerPeer: number;
  /** Names the peer for its count; undefined for one without a limit, such as a trusted proxy. */
  readonly peerOf: (socket: Socket) => string | undefined;
  /** How long a response waits for a stalled reader before its connection is reset. */
  readonly patienceMs: number;
  readonly onRejected: (limit: 'all' | 'peer', peer: string | undefined) => void;
  readonly onStalled: (peer: string | undefined) => void;
}

/** Unanswered requests on one connection. Clients that pipeline send about ten. */
export const maxAsked = 100;

/** Interval of checks for stalled readers, and so the delay of a reset. */
const lookEveryMs = 1_000;

/** All connections of one server. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #all = new Set<Connection>();
  readonly #busy = new Set<Connection>();
  readonly #open: Places;
  readonly #queued: Places;
  #stopLooking: (() => void) | undefined;
  #quietSince = 0;
  isDraining = false;

  constructor(limits: ConnectionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    const { maxConnections: all, maxPerPeer: perPeer } = limits;
    this.#open = new Places({ all, perPeer });
    this.#queued = new Places({ all: Math.max(all, maxAsked), perPeer: Math.max(perPeer, maxAsked) });
  }

  /** Accepts a new connection, or closes it at once over a limit. */
  accept(socket: Socket): void {
    const peer = this.#limits.peerOf(socket);
    const limit = this.#open.limitFor(peer);
    if (limit !== undefined) {
      socket.destroy();
      this.#limits.onRejected(limit, peer);
      return;
    }
    this.#open.take(peer);
    const connection = new Connection(socket, peer, this, this.#clock.monotonic());
    this.#all.add(connection);
    socket.once('close', () => {
      this.#all.delete(connection);
      this.#open.release(peer);
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

  hasRoomToQueue({ peer }: Connection): boolean {
    return this.#queued.limitFor(peer) === undefined;
  }

  markQueued({ peer }: Connection): void {
    this.#queued.take(peer);
  }

  markUnqueued({ peer }: Connection): void {
    this.#queued.release(peer);
  }

  #look(): void {
    if (this.#stopLooking) return;
    const { patienceMs, onStalled } = this.#limits;
    this.#stopLooking = this.#clock.after(Math.min(lookEveryMs, patienceMs / 10), () => {
      this.#stopLooking = undefined;
      const now = this.#clock.monotonic();
      for (const connection of this.#busy) {
        if (!connection.hasStalled(now, patienceMs)) continue;
        onStalled(connection.peer);
        connection.socket.resetAndDestroy();
      }
      if (this.#busy.size > 0) this.#look();
    });
  }
}

/**
 * The connections of a server: what is asked on each of them, whether its reader reads, and how many one peer holds.
 *
 * node:http tells the response at the head of a connection when the connection closes. The responses queued behind it get no
 * `close`, ever: what waits for one would wait for good. So every response that is not over at once is kept here until it
 * is, and gets its `close` with the connection.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from './clock.ts';

export interface ConnectionLimits {
  /** Connections open at the same time. One more is closed at once. */
  readonly maxConnections: number;
  /** Of these, how many one peer may hold. */
  readonly maxPerPeer: number;
  /** Under which name a peer is counted; undefined where it is not, such as a trusted proxy. */
  readonly peerOf: (socket: Socket) => string | undefined;
  /** How long an answer waits for a reader that takes next to nothing, before its connection is reset. */
  readonly patienceMs: number;
  readonly onRejected: (limit: 'all' | 'peer', peer: string | undefined) => void;
  readonly onStalled: (peer: string | undefined) => void;
}

/**
 * Bytes a second that a reader has to take of what waits for it, over the time of patience. A byte now and then would hold
 * an answer for ever. IIS and Kestrel ask for as much (`minBytesPerSecond`, `MinResponseDataRate`).
 */
const leastBytesPerSecond = 240;

/** How often readers are looked at. A reset is late by as much. */
const lookEveryMs = 1_000;

/** From either of these on, further requests of a connection wait: requests being answered, and bytes of answers that wait. */
const maxAtOnce = 4;
const maxWaitingBytes = 256 * 1024;

const key = Symbol('connection');
type Carrier = Socket & { [key]?: Connection };

/** The connection of a request or a response; undefined when it was rejected. */
export function connectionOf({ socket }: { readonly socket: Socket }): Connection | undefined {
  return (socket as Carrier)[key];
}

/** Keeps a response until it is over, so that it gets its `close` however that happens. */
export function keepUntilOver(res: ServerResponse): void {
  connectionOf(res.req)?.keep(res);
}

/** While the server drains, the newest answer of a connection says that no other follows. Before its head is written. */
export function closeAfterNewest(res: ServerResponse): void {
  const connection = connectionOf(res.req);
  if (connection?.isDraining && !res.headersSent) connection.closeAfterNewest(res);
}

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

  /** Keeps a new connection, or closes it at once where there are too many. */
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
    const connection = new Connection(socket, this);
    (socket as Carrier)[key] = connection;
    this.#all.add(connection);
    socket.once('close', () => {
      this.#all.delete(connection);
      if (peer !== undefined) this.#release(peer);
      connection.closed();
    });
  }

  /** From now on, answers are the last of their connections. */
  startDraining(): void {
    this.isDraining = true;
    this.#quietSince = this.#clock.monotonic();
  }

  /** Whether nothing has been asked and not answered for this long. */
  isQuietFor(ms: number): boolean {
    return this.#busy.size === 0 && this.#clock.monotonic() - this.#quietSince >= ms;
  }

  /** Closes those on which no byte has ever come. node:http takes them for requests that are about to arrive. */
  closeUnused(): void {
    for (const { socket } of this.#all) if (socket.bytesRead === 0) socket.destroy();
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

/** What node:http does not tell in its types. */
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number };
type Closing = ServerResponse & { _closed: boolean };

/** One connection, and what is asked on it. */
export class Connection {
  readonly socket: Socket;
  readonly #all: Connections;
  /** Responses that are not over, in the order of their requests. */
  readonly #open = new Set<ServerResponse>();
  /** Of these, those that are being answered. */
  readonly #begun = new Set<ServerResponse>();
  /** What begins the others. */
  readonly #waiting: (() => void)[] = [];
  #newest: ServerResponse | undefined;
  #afterAll: (() => void) | undefined;
  /** Since when the reader has been given patience, and what it had taken then. */
  #patience = { since: 0, taken: 0 };
  /** Whether nothing that comes from now on is answered: the last answer is given, or on its way. */
  isClosing = false;

  constructor(socket: Socket, all: Connections) {
    this.socket = socket;
    this.#all = all;
  }

  get isDraining(): boolean {
    return this.#all.isDraining;
  }

  /** Whether a request that has just come can be answered at once. */
  get isFree(): boolean {
    return this.#open.size === 0 && !this.isClosing;
  }

  /** Requests that are not answered yet. */
  get asked(): number {
    return this.#open.size;
  }

  keep(res: ServerResponse): void {
    if (this.#open.has(res)) return;
    this.#open.add(res);
    this.#newest = res;
    if (this.#open.size === 1) {
      this.#begun.add(res);
      this.#all.markBusy(this);
    }
    res.once('close', () => this.#over(res));
  }

  /** Begins to answer a request that is kept, as soon as there is room for its answer. */
  begin(res: ServerResponse, answer: () => void): void {
    const run = () => {
      this.#begun.add(res);
      answer();
    };
    if (this.#waiting.length > 0 || !this.#hasRoom()) this.#waiting.push(run);
    else run();
  }

  /** Runs once all that is kept is over; not when the connection has closed before. */
  afterAll(run: () => void): void {
    if (this.#open.size === 0) run();
    else this.#afterAll = run;
  }

  closeAfterNewest(res: ServerResponse): void {
    if (this.#open.size > 0 && this.#newest !== res) return;
    res.shouldKeepAlive = false;
    this.isClosing = true;
  }

  startPatience(now: number): void {
    this.#patience = { since: now, taken: this.#taken() };
  }

  /** Whether bytes wait for the reader, and it has taken next to nothing of them in all that time. */
  hasStalled(now: number, patienceMs: number): boolean {
    const least = leastBytesPerSecond * (patienceMs / 1000);
    const isReading = !(this.#taken() - this.#patience.taken < least);
    if (this.socket.writableLength === 0 || isReading) this.startPatience(now);
    return now - this.#patience.since >= patienceMs;
  }

  /** The connection is closed: so is what was asked on it. node:http closes none a second time. */
  closed(): void {
    this.#waiting.length = 0;
    this.#afterAll = undefined;
    for (const res of this.#open) {
      res.destroyed = true;
      (res as Closing)._closed = true;
      res.emit('close');
    }
  }

  #over(res: ServerResponse): void {
    this.#open.delete(res);
    this.#begun.delete(res);
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#waiting.shift()?.();
    if (this.#open.size > 0) return;
    this.#newest = undefined;
    this.#all.markFree(this);
    this.#afterAll?.();
    this.#afterAll = undefined;
  }

  /** The socket's bytes are counted with the first response, which alone has it. */
  #hasRoom(): boolean {
    if (this.#begun.size >= maxAtOnce) return false;
    let bytes = 0;
    for (const { writableLength } of this.#begun) bytes += writableLength;
    return bytes < maxWaitingBytes;
  }

  /** Bytes that the system has taken, which it does as the reader reads. NaN where this Node does not tell. */
  #taken(): number {
    const { bytesWritten = Number.NaN, writeQueueSize = Number.NaN } =
      (this.socket as unknown as { _handle?: Handle })._handle ?? {};
    return bytesWritten - writeQueueSize;
  }
}

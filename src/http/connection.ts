/**
 * Tracks one connection: its open requests, and whether its reader has stalled.
 *
 * When a connection closes, node:http emits `close` only on its first open response. Responses queued behind it never get one,
 * so whatever waits for it would wait forever. This class keeps every open response and emits `close` on it when the
 * connection closes.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Bytes per second that a reader must read, averaged over the patience: one that reads a byte now and then would hold a response
 * forever. IIS and Kestrel use the same rate (`minBytesPerSecond`, `MinResponseDataRate`).
 */
const leastBytesPerSecond = 240;

/** Limits of a connection beyond which further requests queue: requests being answered, and bytes of unsent responses. */
const maxAtOnce = 4;
const maxWaitingBytes = 256 * 1024;

const key = Symbol('connection');
type Carrier = Socket & { [key]?: Connection };

/** The connection of a request or a response; undefined when it was rejected. */
export function connectionOf({ socket }: { readonly socket: Socket }): Connection | undefined {
  return (socket as Carrier)[key];
}

/** Keeps a response until it ends, so that it gets `close` in any case. */
export function keepUntilOver(res: ServerResponse): void {
  connectionOf(res.req)?.keep(res);
}

/** Makes the newest response of a draining connection its last. Call it before the header is written. */
export function closeAfterNewest(res: ServerResponse): void {
  const connection = connectionOf(res.req);
  if (connection?.isDraining && !res.headersSent) connection.closeAfterNewest(res);
}

/** State shared by the connections of a server. */
interface Server {
  /** Whether responses are the last of their connections. */
  readonly isDraining: boolean;
  /** An idle connection got a request. */
  markBusy(connection: Connection): void;
  /** All requests of a connection have ended. */
  markFree(connection: Connection): void;
  /** Whether one more request may queue behind others. */
  hasRoomToQueue(connection: Connection): boolean;
  markQueued(connection: Connection): void;
  markUnqueued(connection: Connection): void;
}

/** Properties that Node's types lack. */
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number };

export class Connection {
  readonly socket: Socket;
  /** For whom it is counted; undefined for one without a limit. */
  readonly peer: string | undefined;
  /** On the monotonic clock, in milliseconds. */
  readonly openedAt: number;
  readonly #server: Server;
  /** Open responses, in the order of their requests. */
  readonly #open = new Set<ServerResponse>();
  /** Open responses being answered. */
  readonly #begun = new Set<ServerResponse>();
  /** Starts of the queued ones. */
  readonly #waiting: (() => void)[] = [];
  #newest: ServerResponse | undefined;
  #afterAll: (() => void) | undefined;
  /** Start of the reader's patience, and the bytes it had read by then. */
  #patience = { since: 0, taken: 0 };
  /** Whether node:http no longer looks after the socket and its first response. */
  #isDetached = false;
  /** Whether later requests are ignored: the last response is sent or in progress. */
  isClosing = false;

  constructor(socket: Socket, peer: string | undefined, server: Server, openedAt: number) {
    this.socket = socket;
    this.peer = peer;
    this.openedAt = openedAt;
    this.#server = server;
    (socket as Carrier)[key] = this;
  }

  get isDraining(): boolean {
    return this.#server.isDraining;
  }

  /** Whether a new request can be answered at once. */
  get isFree(): boolean {
    return this.#open.size === 0 && !this.isClosing;
  }

  /** Number of open requests. */
  get asked(): number {
    return this.#open.size;
  }

  /** Whether one more request can be kept. */
  get hasRoom(): boolean {
    return this.#open.size === 0 || this.#server.hasRoomToQueue(this);
  }

  keep(res: ServerResponse): void {
    if (this.#open.has(res)) return;
    this.#open.add(res);
    this.#newest = res;
    if (this.#open.size === 1) {
      this.#begun.add(res);
      this.#server.markBusy(this);
    } else {
      this.#server.markQueued(this);
    }
    res.once('close', () => this.#over(res));
  }

  /** Answers a kept request as soon as the connection's limits allow. */
  begin(res: ServerResponse, answer: () => void): void {
    const run = () => {
      this.#begun.add(res);
      answer();
    };
    if (this.#waiting.length > 0 || !this.#hasRoom()) this.#waiting.push(run);
    else run();
  }

  /** Runs once all kept responses have ended. The connection may be closed by then. */
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

  /** Whether the reader has bytes to read and read too few of them during its patience. */
  hasStalled(now: number, patienceMs: number): boolean {
    const least = leastBytesPerSecond * (patienceMs / 1000);
    const isReading = !(this.#taken() - this.#patience.taken < least);
    if (this.socket.writableLength === 0 || isReading) this.startPatience(now);
    return now - this.#patience.since >= patienceMs;
  }

  /** Does for open responses what node:http did before it gave the socket away: on CONNECT, Node 20 leaves them waiting for ever. */
  lookAfterSocket(): void {
    this.#isDetached = true;
    this.socket.on('drain', () => {
      for (const res of this.#open) if (res.socket) res.emit('drain');
    });
  }

  /** Ends open responses after the connection closed. Only the first one has the socket and ends without help. */
  endAsked(): void {
    for (const res of this.#open) {
      if (res.socket && !this.#isDetached) continue;
      res.destroyed = true;
      res.emit('close');
    }
  }

  #over(res: ServerResponse): void {
    this.#open.delete(res);
    this.#begun.delete(res);
    while (this.#waiting.length > 0 && !this.socket.destroyed && this.#hasRoom()) this.#waiting.shift()?.();
    if (this.#open.size > 0) {
      this.#server.markUnqueued(this);
      return;
    }
    this.#newest = undefined;
    this.#server.markFree(this);
    this.#afterAll?.();
    this.#afterAll = undefined;
  }

  /** The bytes of the first response include the socket's. */
  #hasRoom(): boolean {
    if (this.#begun.size >= maxAtOnce) return false;
    let bytes = 0;
    for (const { writableLength } of this.#begun) bytes += writableLength;
    return bytes < maxWaitingBytes;
  }

  /** Bytes accepted by the system, which follows the reader. NaN if this Node does not expose them. */
  #taken(): number {
    const { bytesWritten = Number.NaN, writeQueueSize = Number.NaN } =
      (this.socket as unknown as { _handle?: Handle })._handle ?? {};
    return bytesWritten - writeQueueSize;
  }
}

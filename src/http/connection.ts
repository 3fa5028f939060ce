/**
 * One connection: what is asked on it, and whether its reader reads.
 *
 * node:http tells the response at the head of a connection when the connection closes. The responses queued behind it get no
 * `close`, ever: what waits for one would wait for good. So every response that is not over at once is kept here until it
 * is, and gets its `close` with the connection.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Bytes a second that a reader has to take of what waits for it, over the time of patience. A byte now and then would hold
 * an answer for ever. IIS and Kestrel ask for as much (`minBytesPerSecond`, `MinResponseDataRate`).
 */
const leastBytesPerSecond = 240;

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

/** What all connections of a server have in common. */
interface Server {
  /** Whether answers are the last of their connections. */
  readonly isDraining: boolean;
  /** Something is asked on a connection, and nothing was before. */
  markBusy(connection: Connection): void;
  /** All that was asked on it is over. */
  markFree(connection: Connection): void;
}

/** What node:http does not tell in its types. */
type Handle = { readonly bytesWritten?: number; readonly writeQueueSize?: number };

export class Connection {
  readonly socket: Socket;
  /** On the monotonic clock, in milliseconds. */
  readonly openedAt: number;
  readonly #server: Server;
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

  constructor(socket: Socket, server: Server, openedAt: number) {
    this.socket = socket;
    this.openedAt = openedAt;
    this.#server = server;
    (socket as Carrier)[key] = this;
  }

  get isDraining(): boolean {
    return this.#server.isDraining;
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
      this.#server.markBusy(this);
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

  /** Runs once all that is kept is over. The connection may be closed by then. */
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

  /** The connection is closed: ends those behind the head, which alone has the socket. */
  endAsked(): void {
    for (const res of this.#open) {
      if (res.socket) continue;
      res.destroyed = true;
      res.emit('close');
    }
  }

  #over(res: ServerResponse): void {
    this.#open.delete(res);
    this.#begun.delete(res);
    while (this.#waiting.length > 0 && !this.socket.destroyed && this.#hasRoom()) this.#waiting.shift()?.();
    if (this.#open.size > 0) return;
    this.#newest = undefined;
    this.#server.markFree(this);
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

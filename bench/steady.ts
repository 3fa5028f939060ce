/**
 * A light generator at a steady rate: prepared requests over raw sockets, sent when they are due. While all connections wait
 * for the server, a request's latency counts from when it was due; when only the generator is late, from when it is sent. A
 * pause of the generator moves what is due, and the requests then in flight have no latency: it could not be measured.
 */
import { connect, type Socket } from 'node:net';

export interface Steady {
  readonly answers: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
  /** By status. */
  readonly statuses: ReadonlyMap<number, number>;
}

const connections = 32;

/** An iteration of the generator's event loop takes less, with all answers that may have come. */
const ownStallMs = 2;

/** @param pathOf the target of each request, by its number */
export async function steady(
  port: number,
  perSecond: number,
  seconds: number,
  pathOf: (n: number) => string,
): Promise<Steady> {
  const latencies: number[] = [];
  /** Of the answers of this iteration of the loop. */
  let fresh: number[] = [];
  const statuses = new Map<number, number>();
  const free: Lane[] = await Promise.all(
    Array.from({ length: connections }, () => open(port, (lane) => free.push(lane))),
  );
  const total = perSecond * seconds;
  let started = performance.now();
  let last = started;
  let kept = false;
  let answers = 0;
  let stalls = 0;
  for (let n = 0; answers < total; ) {
    // While the generator paused, nothing was due.
    const turn = performance.now() - last;
    if (turn > ownStallMs) {
      started += turn;
      stalls++;
    } else latencies.push(...fresh);
    fresh = [];
    last = performance.now();
    for (let due = started; n < total; n++) {
      due = started + (n * 1000) / perSecond;
      const now = performance.now();
      if (now < due) break;
      const lane = free.pop();
      if (!lane) {
        kept = true;
        break;
      }
      const since = kept ? due : now;
      kept = false;
      const before = stalls;
      lane.ask(pathOf(n), (status) => {
        answers++;
        if (before === stalls) fresh.push(performance.now() - since);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      });
    }
    // Timers are a millisecond late, so the generator keeps its core busy.
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const lane of free) lane.close();
  latencies.sort((a, b) => a - b);
  const at = (part: number) => latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
  return { answers, p50: at(0.5), p99: at(0.99), most: latencies.at(-1) ?? Number.NaN, statuses };
}

interface Lane {
  ask(path: string, done: (status: number) => void): void;
  close(): void;
}

/** What has been read of an answer whose header block is complete, in its first chunk. */
const readBytes = 64 * 1024;

/** One connection, one request at a time. @param freed called when the answer is there */
function open(port: number, freed: (lane: Lane) => void): Promise<Lane> {
  let done: ((status: number) => void) | undefined;
  let status = 0;
  let left = 0;
  // One buffer for all that arrives: the generator's own garbage would pause it, and look like the server's.
  const onread = {
    buffer: Buffer.alloc(readBytes),
    callback: (length: number, part: Uint8Array) => {
      read(Buffer.from(part.buffer, part.byteOffset, length));
      return true;
    },
  };
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
  const lane: Lane = {
    ask(path, told) {
      done = told;
      left = 0;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n`, 'latin1');
    },
    close: () => void socket.destroy(),
  };
  const read = (part: Buffer) => {
    if (left === 0) {
      const end = part.indexOf('\r\n\r\n') + 4;
      const at = part.indexOf('Content-Length: ') + 16;
      status = Number(part.toString('latin1', 9, 12));
      left = end + Number.parseInt(part.toString('latin1', at, at + 8), 10);
    }
    left -= part.length;
    if (left > 0) return;
    freed(lane);
    done?.(status);
  };
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(lane)).once('error', reject);
  });
}

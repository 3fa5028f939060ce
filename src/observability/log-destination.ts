/**
 * Where log lines go: gathered, and written behind the back of those who answer. A line that cannot be written waits; one
 * that there is no room for is dropped, counted, and reported when lines can be written again.
 */
import { fstatSync, write as writeFile } from 'node:fs';
import { Socket } from 'node:net';

/**
 * Lines are gathered for this long, or up to this many, and made all at once: cheap in one go, which was a twentieth of
 * a hit between two answers.
 */
const gatherMs = 250;
const linesAtOnce = 256;
/** Characters; a text that is longer is handed over at once, with what was gathered before it. */
const maxGatheredText = 1_024;
/** Bytes of lines that wait to be written: a few seconds of what can be answered at full rate. */
const maxWaitingBytes = 16 * 1024 * 1024;
/** Bytes that wait for the reader of stderr. */
const maxWaitingStderrBytes = 1024 * 1024;
/** Pause before lines that could not be written are tried again; a terminal that is only slow says EAGAIN. */
const retryMs = { failed: 1_000, again: 20 };
/** For how long the end of the process waits for its last lines. */
const lastMs = 1_000;

export interface LogDestination {
  /** Bytes of lines that were dropped since the start. */
  readonly lostBytes: number;
  /** Takes a line, or what makes one: it is asked when lines are gathered. */
  write(line: { toString(): string }): void;
  /** Takes whole lines that another process has gathered. */
  pass(lines: Buffer): void;
  /**
   * Writes what is left, for at most a second. Resolves with false when a write is stuck in a thread, which
   * `process.exit` would wait for.
   */
  close(): Promise<boolean>;
}

/**
 * Never throws and emits no errors, whatever becomes of the descriptor: a full disk, a pipe without a reader, a terminal
 * that has vanished.
 *
 * @param maxBytes of lines that wait
 */
export function logDestination(fd = 1, maxBytes = maxWaitingBytes): LogDestination {
  const writer = writerOf(fd);
  const queue: Buffer[] = [];
  let [queuedBytes, untoldBytes, lostBytes] = [0, 0, 0];
  let reason: string | undefined;
  let isWriting = false;
  let retry: NodeJS.Timeout | undefined;
  let ended: (() => void) | undefined;

  const pass = (bytes: Buffer) => {
    if (queuedBytes + bytes.length > maxBytes) {
      lostBytes += bytes.length;
      untoldBytes += bytes.length;
      return;
    }
    queue.push(bytes);
    queuedBytes += bytes.length;
    if (!retry) writeNext();
  };

  const writeNext = () => {
    const [bytes] = queue;
    if (isWriting || bytes === undefined) return;
    isWriting = true;
    writer.write(bytes, (error, written) => {
      isWriting = false;
      queuedBytes -= written;
      if (written < bytes.length) queue[0] = bytes.subarray(written);
      else queue.shift();
      if (error) failed(error.code ?? 'unknown');
      else succeeded();
    });
  };

  const succeeded = () => {
    if (untoldBytes === 0) reason = undefined;
    else if (queuedBytes <= maxBytes / 2) {
      const about = { lostBytes: untoldBytes, reason, msg: 'log lines dropped: stdout not drained' };
      const stamp = { level: 'warn', time: new Date().toISOString(), event: 'log.dropped' };
      [untoldBytes, reason] = [0, undefined];
      pass(Buffer.from(`${JSON.stringify({ ...stamp, ...about })}\n`));
    }
    if (queue.length === 0) ended?.();
    writeNext();
  };

  const failed = (code: string) => {
    const isSlow = code === 'EAGAIN';
    if (!isSlow) {
      reason = code;
      ended?.();
    }
    retry = setTimeout(
      () => {
        retry = undefined;
        writeNext();
      },
      isSlow ? retryMs.again : retryMs.failed,
    ).unref();
  };

  const waiting: { toString(): string }[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length > 0) pass(Buffer.from(waiting.join('')));
    waiting.length = 0;
  };

  return {
    get lostBytes() {
      return lostBytes;
    },
    pass,
    write: (line) => {
      waiting.push(line);
      if (waiting.length === linesAtOnce || (typeof line === 'string' && line.length > maxGatheredText)) flush();
      else timer ??= setTimeout(flush, gatherMs).unref();
    },
    close: async () => {
      flush();
      // What failed a moment ago would fail again.
      if (queue.length > 0 && (isWriting || reason === undefined)) {
        await new Promise<void>((resolve) => {
          ended = resolve;
          setTimeout(resolve, lastMs);
        });
      }
      return !(isWriting && writer.canBlock);
    },
  };
}

/** Told how many of the bytes were written, also when there was an error. */
type Written = (error: NodeJS.ErrnoException | null | undefined, written: number) => void;

interface Writer {
  readonly write: (bytes: Buffer, done: Written) => void;
  /** Whether a write occupies a thread for as long as it takes. */
  readonly canBlock: boolean;
}

/**
 * Pipes and sockets are written without blocking: their reader may stand still, and a thread that waits for it would keep
 * the process from ending. Files and terminals know no other way.
 */
function writerOf(fd: number): Writer {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isSocket()) {
    return {
      canBlock: true,
      write: (bytes, done) => writeFile(fd, bytes, (error, written = 0) => done(error, written)),
    };
  }
  // Node's own streams go on after an error, and never close the descriptor: its number could come to be a caller's.
  const stream = { 1: process.stdout, 2: process.stderr }[fd] ?? new Socket({ fd, readable: false, writable: true });
  stream.on('error', () => {}); // Each write's callback reports its error.
  return {
    canBlock: false,
    write: (bytes, done) => stream.write(bytes, (error) => done(error, error ? 0 : bytes.length)),
  };
}

/** Ends the process when its last lines are written, or cannot be. */
export async function exitAfter(destination: LogDestination, code: number): Promise<void> {
  const canExit = await destination.close();
  if (!canExit) process.kill(process.pid, 'SIGKILL');
  process.exit(code);
}

/** Keeps a program running when stderr cannot be written: Node writes its warnings there, too. */
export function tolerateStderr(): void {
  process.stderr.on('error', () => {});
}

/** Writes to stderr what fits; what cannot be written is dropped. */
export function writeToStderr(text: string | Buffer): void {
  if (process.stderr.writableLength < maxWaitingStderrBytes) process.stderr.write(text);
}

const lineEnd = 0x0a;

/** Takes what comes in any pieces, and passes whole lines on. */
export function wholeLines(pass: (lines: Buffer) => void): (piece: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (piece) => {
    const all = rest.length > 0 ? Buffer.concat([rest, piece]) : piece;
    const end = all.lastIndexOf(lineEnd) + 1;
    if (end > 0) pass(all.subarray(0, end));
    rest = all.subarray(end);
  };
}

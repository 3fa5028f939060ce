/**
 * Buffers log lines for 250 ms and writes them in the background. Queues lines that cannot be written; drops and counts those beyond
 * the limit, and reports them once writing works again.
 */
import { writerOf } from './descriptor-writer.ts';

/** Bounds of the buffer. Formatting lines in bulk is cheap; one by one, each would cost a twentieth of a hit. */
const bufferMs = 250;
const linesAtOnce = 256;
/** Characters; a longer text flushes the buffer at once. */
const maxBufferedText = 1_024;
/** Bytes of queued lines: a few seconds at full rate. */
const maxWaitingBytes = 16 * 1024 * 1024;
/** Pause before a failed write is retried; a terminal that is merely slow fails with EAGAIN. */
const retryMs = { failed: 1_000, again: 20 };
/** How long an exiting process waits for its last lines. */
const lastMs = 1_000;

export interface LogDestination {
  /** Bytes of lines dropped since start. */
  readonly lostBytes: number;
  /** Takes a line, or an object that `toString` formats when lines are written. */
  write(line: { toString(): string }): void;
  /** Takes whole lines from another process. */
  pass(lines: Buffer): void;
  /**
   * Writes the remaining lines, for at most a second. Resolves with false when a write is stuck in a thread, for which
   * `process.exit` would wait.
   */
  close(): Promise<boolean>;
}

/**
 * Never throws or emits errors, whatever the descriptor does: full disk, broken pipe, vanished terminal.
 *
 * @param maxBytes of queued lines
 */
export function logDestination(fd = 1, maxBytes = maxWaitingBytes): LogDestination {
  const writer = writerOf(fd);
  const queue: Buffer[] = [];
  let [queuedBytes, unreportedBytes, lostBytes] = [0, 0, 0];
  let reason: string | undefined;
  let isWriting = false;
  let retry: NodeJS.Timeout | undefined;
  let ended: (() => void) | undefined;

  const pass = (bytes: Buffer) => {
    if (queuedBytes + bytes.length > maxBytes) {
      lostBytes += bytes.length;
      unreportedBytes += bytes.length;
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
    if (unreportedBytes === 0) reason = undefined;
    else if (queuedBytes <= maxBytes / 2) {
      const about = { lostBytes: unreportedBytes, reason, msg: 'log lines dropped: stdout not drained' };
      const stamp = { level: 'warn', time: new Date().toISOString(), event: 'log.dropped' };
      [unreportedBytes, reason] = [0, undefined];
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
      if (waiting.length === linesAtOnce || (typeof line === 'string' && line.length > maxBufferedText)) flush();
      else timer ??= setTimeout(flush, bufferMs).unref();
    },
    close: async () => {
      flush();
      // A write that failed a moment ago would fail again.
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

/** Exits once the last lines are written or cannot be written. */
export async function exitAfter(destination: LogDestination, code: number): Promise<void> {
  const canExit = await destination.close();
  if (!canExit) process.kill(process.pid, 'SIGKILL');
  process.exit(code);
}

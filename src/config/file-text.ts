/**
 * Reads the files that settings and variables name, at a bounded cost: one may be a device without an end, or a pipe that nobody
 * writes to.
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** A configuration with a thousand teams is shorter. `reasons` in file-failure.ts says it in words. */
const maxBytes = 1024 * 1024;
const chunkBytes = 64 * 1024;
const pauseMs = 10;

/**
 * Returns a function that reads a file, for a process that starts now: it waits for pipes only as long as that. A pipe, such as a
 * shell's `<(…)`, can be read only once: its text is kept.
 */
export function fileReader(pipesWithinMs = 10_000): (path: string) => string {
  const giveUpAt = performance.now() + pipesWithinMs;
  const pipes = new Map<string, string>();
  return (path) => {
    const kept = pipes.get(path);
    if (kept !== undefined) return kept;
    const { text, isPipe } = readText(path, giveUpAt);
    if (isPipe) pipes.set(path, text);
    return text;
  };
}

/**
 * Reads a text at once, or from a pipe that is written until `giveUpAt` (monotonic time).
 *
 * @throws Error of the file system; EFBIG, EILSEQ (not UTF-8), ENXIO (neither file nor pipe) or ETIMEDOUT (a pipe without an end)
 */
export function readText(path: string, giveUpAt = 0): { readonly text: string; readonly isPipe: boolean } {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
  // Without O_NONBLOCK, a pipe is waited for until somebody opens it to write.
  const file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    const stats = fstatSync(file);
    const isPipe = stats.isFIFO();
    // Reading a directory fails by itself.
    if (!isPipe && !stats.isFile() && !stats.isDirectory()) throw failure('ENXIO');
    const bytes = readAll(file, isPipe, giveUpAt);
    if (!isUtf8(bytes)) throw failure('EILSEQ');
    return { text: bytes.toString(), isPipe };
  } finally {
    closeSync(file);
  }
}

function readAll(file: number, isPipe: boolean, giveUpAt: number): Buffer {
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = readChunk(file);
    // A pipe seems to be at its end until somebody has opened it to write.
    const isWaiting = chunk === undefined || (isPipe && chunk.length + length === 0);
    if (isWaiting) {
      if (performance.now() >= giveUpAt) throw failure('ETIMEDOUT');
      pause();
    } else if (chunk.length === 0) return Buffer.concat(chunks);
    else {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) throw failure('EFBIG');
    }
  }
}

/** Returns an empty chunk at the end, and undefined while a pipe has nothing to read. */
function readChunk(file: number): Buffer | undefined {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  try {
    return chunk.subarray(0, readSync(file, chunk));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Blocks the process: a configuration is read before anything else begins. */
const pause = () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);

const failure = (code: string) => Object.assign(new Error(code), { code });

/**
 * Writes to a file descriptor of any kind.
 */
import { fstatSync, write as writeFile } from 'node:fs';
import { Socket } from 'node:net';

/** Receives the number of bytes written, even after an error. */
type Written = (error: NodeJS.ErrnoException | null | undefined, written: number) => void;

export interface DescriptorWriter {
  readonly write: (bytes: Buffer, done: Written) => void;
  /** Whether a write blocks a thread until it is done. */
  readonly canBlock: boolean;
}

/**
 * Writes pipes and sockets without blocking: a thread blocked by a stuck reader would keep the process from exiting. Only a thread
 * can write files and terminals.
 */
export function writerOf(fd: number): DescriptorWriter {
  const kind = fstatSync(fd);
  if (!kind.isFIFO() && !kind.isSocket()) {
    return {
      canBlock: true,
      write: (bytes, done) => writeFile(fd, bytes, (error, written = 0) => done(error, written)),
    };
  }
  // Node's own streams survive errors and never close the descriptor: a caller's connection could get its number.
  const stream = { 1: process.stdout, 2: process.stderr }[fd] ?? new Socket({ fd, readable: false, writable: true });
  stream.on('error', () => {}); // Each write's callback reports its error.
  return {
    canBlock: false,
    write: (bytes, done) => stream.write(bytes, (error) => done(error, error ? 0 : bytes.length)),
  };
}

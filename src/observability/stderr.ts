/**
 * stderr, for what is said without the log.
 */

/** Bytes that wait for the reader of stderr. */
const maxWaitingBytes = 1024 * 1024;

/** Keeps a program running when stderr cannot be written: Node writes its warnings there, too. */
export function tolerateStderr(): void {
  process.stderr.on('error', () => {});
}

/** Writes to stderr what fits; what cannot be written is dropped. */
export function writeToStderr(text: string | Buffer): void {
  if (process.stderr.writableLength < maxWaitingBytes) process.stderr.write(text);
}

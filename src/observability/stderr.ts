/**
 * stderr, for messages that bypass the log.
 */

/** Bytes queued for the reader of stderr. */
const maxWaitingBytes = 1024 * 1024;

/** Survives write errors on stderr, to which Node writes its warnings too. */
export function tolerateStderr(): void {
  process.stderr.on('error', () => {});
}

/** Writes to stderr; drops the text when the queue is full. */
export function writeToStderr(text: string | Buffer): void {
  if (process.stderr.writableLength < maxWaitingBytes) process.stderr.write(text);
}

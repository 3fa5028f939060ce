/**
 * The time of a log line, as pino takes it.
 */
let lastMs = 0;
let lastTimestamp = '';

/** `,"time":"…"`; lines of one millisecond share it. */
export function timestamp(now = Date.now()): string {
  if (now !== lastMs) {
    lastMs = now;
    lastTimestamp = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTimestamp;
}

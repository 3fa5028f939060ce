/**
 * Logs: JSON lines on stdout, from which credentials are kept by path and by value.
 */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

interface LogOptions {
  readonly level: string;
  readonly destination: DestinationStream;
  /** All credentials in use, also those just replaced. The same array as long as they are the same. */
  readonly secrets: () => readonly string[];
}

const redacted = '[redacted]';

/** By path, what must not be logged whatever it is. At any depth, values are found below. */
const redactPaths = [
  'apiKey',
  'accessToken',
  'refreshToken',
  'clientSecret',
  'authorization',
  'headers.authorization',
  'email_address',
  'email',
];

/** An email address, wherever it stands; a scoped package in a stack trace is none. */
const address = /[^\s"'<>:@\\/]+@[^\s"'<>:@\\/]+/g;

/** `log` for whatever happens; `accessLog` for requests, whose fields are known, and which are many. */
export interface Logs {
  readonly log: Logger;
  readonly accessLog: Logger;
}

export function createLogs({ level, destination, secrets }: LogOptions): Logs {
  const clean = { write: (line: string) => destination.write(redact(line, secrets())) };
  const options = { level, base: null, timestamp, formatters: { level: (label: string) => ({ level: label }) } };
  return {
    log: pino({ ...options, redact: { paths: redactPaths, censor: redacted } }, clean),
    // Redaction by path copies every object, which was an eighth of a hit's time; by value it goes on.
    accessLog: pino(options, clean),
  };
}

let lastMs = 0;
let lastTimestamp = '';

/** `,"time":"…"`; lines of one millisecond share it. */
function timestamp(): string {
  const now = Date.now();
  if (now !== lastMs) {
    lastMs = now;
    lastTimestamp = `,"time":"${new Date(now).toISOString()}"`;
  }
  return lastTimestamp;
}

const formsOf = new WeakMap<readonly string[], readonly string[]>();

/** Secrets as they are, and as they would stand in a URL or in JSON. */
function forms(secrets: readonly string[]): readonly string[] {
  let known = formsOf.get(secrets);
  if (!known) {
    const all = secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams([['', secret]]).toString().slice(1),
      JSON.stringify(secret).slice(1, -1),
    ]);
    known = [...new Set(all)];
    formsOf.set(secrets, known);
  }
  return known;
}

/** Takes secrets and email addresses out of a text. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const form of forms(secrets)) {
    if (clean.includes(form)) clean = clean.replaceAll(form, redacted);
  }
  return clean.includes('@') ? clean.replace(address, redacted) : clean;
}

/**
 * Logs: JSON lines on stdout, from which credentials are kept by path and by value.
 */
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

interface LogOptions {
  readonly level: string;
  readonly destination: DestinationStream;
  /** All credentials in use, also those just replaced. */
  readonly secrets: () => readonly string[];
}

const redacted = '[redacted]';

/** By path, what must not be logged whatever it is. At any depth, values are found below. */
const redactPaths = ['apiKey', 'accessToken', 'authorization', 'headers.authorization', 'email_address', 'email'];

/** An address, wherever it stands. */
const address = /[^\s"'<>:@\\]+@[^\s"'<>:@\\]+/g;

export function createLog({ level, destination, secrets }: LogOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactPaths, censor: redacted },
    },
    { write: (line: string) => destination.write(redact(line, secrets())) },
  );
}

/** Takes secrets out of a text, as they are and as they would stand in a URL or in JSON, and email addresses. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      if (clean.includes(form)) clean = clean.replaceAll(form, redacted);
    }
  }
  return clean.includes('@') ? clean.replace(address, redacted) : clean;
}

/**
 * Logs: JSON lines on stdout.
 */
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { type AccessLog, createAccessLog } from './access-log.ts';
import type { LogDestination } from './log-destination.ts';
import { redact, redacted, redactPaths } from './redaction.ts';

export type { Logger } from 'pino';

interface LogOptions {
  readonly level: string;
  readonly destination: Pick<LogDestination, 'write'>;
  /** All credentials in use and those just replaced. Returns the same array until they change. */
  readonly secrets: () => readonly string[];
}

/** `log` takes events; `accessLog` takes requests, which are many and have fixed fields. */
export interface Logs {
  readonly log: Logger;
  readonly accessLog: AccessLog;
  /** Changes the lowest level that is logged. */
  setLevel(level: string): void;
}

export function createLogs({ level, destination, secrets }: LogOptions): Logs {
  const clean = (text: string) => redact(text, secrets());
  const log = pino(
    {
      ...{
        level,
        base: null,
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label: string) => ({ level: label }) },
      },
      redact: { paths: redactPaths, censor: redacted },
    },
    { write: (line) => destination.write(clean(line)) },
  );
  const accessLog = createAccessLog(destination, clean);
  let isInfo = log.isLevelEnabled('info');
  return {
    log,
    accessLog: (entry) => {
      if (isInfo) accessLog(entry);
    },
    setLevel: (level) => {
      log.level = level;
      isInfo = log.isLevelEnabled('info');
    },
  };
}

/**
 * The access log: a JSON line for each request.
 */
import type { LogDestination } from './log-destination.ts';
import type { RequestRecord } from './request-record.ts';

/** The fields that the access log has for a request. */
export interface AccessEntry {
  readonly id: string;
  /** Whether the caller chose the id, which may then hold a secret. */
  readonly isIdGiven: boolean;
  readonly trace: string | undefined;
  readonly method: string | undefined;
  readonly status: number;
  readonly ms: number;
  readonly record: RequestRecord;
}

export type AccessLog = (entry: AccessEntry) => void;

/** @param redact removes secrets from a text */
export function createAccessLog(
  destination: Pick<LogDestination, 'write'>,
  redact: (text: string) => string,
): AccessLog {
  return (entry) => destination.write(new AccessLine(entry, redact));
}

/** A line formatted when the buffer is written: formatting a few hundred at once takes half the time of one per response. */
class AccessLine {
  readonly #entry: AccessEntry;
  readonly #redact: (text: string) => string;
  readonly #at = Date.now();

  constructor(entry: AccessEntry, redact: (text: string) => string) {
    this.#entry = entry;
    this.#redact = redact;
  }

  toString(): string {
    const { id, isIdGiven, trace, method, status, ms, record } = this.#entry;
    const { route, team, cache, campaign, problem, reason } = record;
    // Values chosen by a caller may hold a secret; all others are Sendgate's own words.
    const redact = (text: string | undefined) => text && this.#redact(text);
    const line = {
      level: 'info',
      time: new Date(this.#at).toISOString(),
      id: isIdGiven ? redact(id) : id,
      trace: redact(trace),
      method,
      route,
      team,
      status,
      cache,
      campaign: redact(campaign),
      ms: Math.round(ms * 100) / 100,
      problem,
      reason,
    };
    return `${JSON.stringify(line)}\n`;
  }
}

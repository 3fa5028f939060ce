/**
 * The access log: a JSON line for each request.
 */
import type { LogDestination } from './log-destination.ts';
import type { Told } from './request-record.ts';

/** The fields that the access log has for a request. */
export interface AccessRecord {
  readonly id: string;
  /** Whether the caller chose the id, which may then hold a secret. */
  readonly isIdGiven: boolean;
  readonly trace: string | undefined;
  readonly method: string | undefined;
  readonly status: number;
  readonly ms: number;
  readonly told: Told;
}

export type AccessLog = (record: AccessRecord) => void;

/** @param redact removes secrets from a text */
export function createAccessLog(
  destination: Pick<LogDestination, 'write'>,
  redact: (text: string) => string,
): AccessLog {
  return (record) => destination.write(new AccessLine(record, redact));
}

/** A line formatted when the buffer is written: formatting a few hundred at once takes half the time of one per response. */
class AccessLine {
  readonly #record: AccessRecord;
  readonly #redact: (text: string) => string;
  readonly #at = Date.now();

  constructor(record: AccessRecord, redact: (text: string) => string) {
    this.#record = record;
    this.#redact = redact;
  }

  toString(): string {
    const { id, isIdGiven, trace, method, status, ms, told } = this.#record;
    const { route, team, cache, campaign, problem, reason } = told;
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

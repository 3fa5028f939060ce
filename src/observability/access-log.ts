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

/** Values in JSON. All but a few are those of many lines, and making them anew takes half of a line. */
const known = new Map<string | number, string>();
const maxKnown = 1_000;
const maxKnownLength = 100;

function toJson(value: string | number): string {
  const json = known.get(value);
  if (json !== undefined) return json;
  const made = JSON.stringify(value);
  if (known.size === maxKnown) known.clear();
  if (made.length <= maxKnownLength) known.set(value, made);
  return made;
}

/** Formats a field; nothing for one without a value. */
function field(name: string, value: string | number | undefined, format: typeof toJson = toJson): string {
  return value === undefined ? '' : `,"${name}":${format(value)}`;
}

let newest = { at: Number.NaN, text: '' };

/** Formats a time once for all lines of its millisecond: for each line it would take a third of the line. */
function timeOf(at: number): string {
  if (at !== newest.at) newest = { at, text: new Date(at).toISOString() };
  return newest.text;
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
    const { route, report, team, cache, campaign, problem, reason } = record;
    // Values chosen by a caller may hold a secret; all others are Sendgate's own words.
    const redact = (text: string | undefined) => text && this.#redact(text);
    const fields =
      field('id', isIdGiven ? redact(id) : id, JSON.stringify) +
      field('trace', redact(trace), JSON.stringify) +
      field('method', method) +
      field('route', route) +
      field('report', report) +
      field('team', team) +
      field('status', status) +
      field('cache', cache) +
      field('campaign', redact(campaign)) +
      field('ms', Math.round(ms * 100) / 100, JSON.stringify) +
      field('problem', problem) +
      field('reason', reason);
    return `{"level":"info","time":"${timeOf(this.#at)}"${fields}}\n`;
  }
}

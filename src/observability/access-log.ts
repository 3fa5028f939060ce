/**
 * The access log: a JSON line for each request.
 */
import type { LogDestination } from './log-destination.ts';
import type { Told } from './request-record.ts';
import { timestamp } from './timestamp.ts';

/** What the log has of a request. Every text is one of a closed set, or has passed a pattern that lets no quote through. */
export interface AccessRecord {
  readonly id: string;
  /** Whether the caller has chosen the id: one of ours is no secret. */
  readonly isIdGiven: boolean;
  readonly trace: string | undefined;
  readonly method: string | undefined;
  readonly status: number;
  readonly ms: number;
  readonly told: Told;
}

export type AccessLog = (record: AccessRecord) => void;

/**
 * @param redact takes secrets out of a text
 */
export function createAccessLog(
  destination: Pick<LogDestination, 'write'>,
  redact: (text: string) => string,
): AccessLog {
  const kindOf = kinds();
  return (record) => destination.write(new AccessLine(record, toText));

  // pino takes every value for the worst, and copies the object to redact it by path. Here, what comes from a caller is
  // looked through; the rest is our own words.
  function toText({ id, isIdGiven, trace, method, status, ms, told }: AccessRecord, at: number): string {
    const { campaign, problem, reason } = told;
    const name = `"id":"${isIdGiven ? redact(id) : id}"${optional('trace', trace && redact(trace))}`;
    const what = `${kindOf(method, status, told)}${optional('campaign', campaign && redact(campaign))}`;
    const why = `${optional('problem', problem)}${optional('reason', reason)}`;
    return `{"level":"info"${timestamp(at)},${name}${what},"ms":${Math.round(ms * 100) / 100}${why}}\n`;
  }
}

/** A line that is made when it is its turn. */
class AccessLine {
  readonly #record: AccessRecord;
  readonly #toText: (record: AccessRecord, at: number) => string;
  readonly #at = Date.now();

  constructor(record: AccessRecord, toText: (record: AccessRecord, at: number) => string) {
    this.#record = record;
    this.#toText = toText;
  }

  toString(): string {
    return this.#toText(this.#record, this.#at);
  }
}

/** The words that lines of one kind share. Most lines are of the kind of the one before, so these are put together once. */
function kinds() {
  let last:
    | { method: string | undefined; status: number; route: string; team: string; cache: string | undefined }
    | undefined;
  let words = '';
  return (method: string | undefined, status: number, { route, team, cache }: Told): string => {
    const isLast = last?.method === method && last?.status === status && last.cache === cache;
    if (isLast && last?.route === route && last.team === team) return words;
    last = { method, status, route, team, cache };
    const request = [',"method":"', method, '","route":"', route, '","team":"', team, '"'];
    words = [...request, ',"status":', status, optional('cache', cache)].join('');
    return words;
  };
}

const optional = (name: string, value: string | undefined) => (value === undefined ? '' : `,"${name}":"${value}"`);

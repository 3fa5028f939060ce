/**
 * Logs: JSON lines on stdout, from which credentials are kept by path and by value.
 */
import { type Logger, pino } from 'pino';
import type { Told } from '../http/request-context.ts';
import type { LogDestination } from './log-destination.ts';

export type { Logger } from 'pino';

interface LogOptions {
  readonly level: string;
  readonly destination: Pick<LogDestination, 'write'>;
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

/** `log` for whatever happens; `accessLog` for requests, whose fields are known, and which are many. */
export interface Logs {
  readonly log: Logger;
  readonly accessLog: AccessLog;
}

export function createLogs({ level, destination, secrets }: LogOptions): Logs {
  const clean = (text: string) => redact(text, secrets());
  const options = { level, base: null, timestamp, formatters: { level: (label: string) => ({ level: label }) } };
  const log = pino(
    { ...options, redact: { paths: redactPaths, censor: redacted } },
    { write: (line) => destination.write(clean(line)) },
  );
  const isOn = log.isLevelEnabled('info');
  const kindOf = kinds();
  return {
    log,
    accessLog: (record) => {
      if (isOn) destination.write(new AccessLine(record, toText));
    },
  };

  // pino takes every value for the worst, and copies the object to redact it by path. Here, what comes from a caller is
  // looked through; the rest is our own words.
  function toText({ id, isIdGiven, trace, method, status, ms, told }: AccessRecord, at: number): string {
    const { campaign, problem, reason } = told;
    const name = `"id":"${isIdGiven ? clean(id) : id}"${optional('trace', trace && clean(trace))}`;
    const what = `${kindOf(method, status, told)}${optional('campaign', campaign && clean(campaign))}`;
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

let lastMs = 0;
let lastTimestamp = '';

/** `,"time":"…"`; lines of one millisecond share it. */
function timestamp(now = Date.now()): string {
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
    if (form.length <= clean.length && clean.includes(form)) clean = clean.replaceAll(form, redacted);
  }
  return clean.includes('@') ? clean.replace(address, redacted) : clean;
}

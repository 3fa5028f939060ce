/**
 * Exchanges the shared quota with other instances through Redis: runs the scripts in `lua/` and parses their replies.
 */
import { z } from 'zod';
import type { Redis } from '../redis/redis.ts';
import { loadScript, type Script } from '../redis/scripts.ts';
import type { TeamCalls, TeamPart } from './day-shares.ts';
import type { WaitingFlow } from './flows.ts';
import { type Fraction, holdMs, othersMs } from './second-limit.ts';
import type { InstanceCalls } from './stored-day.ts';

/** One instance's view of the day's calls by team. */
export interface DayReport {
  /** Days since 1970-01-01 UTC. */
  readonly day: number;
  /** Rest of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
  readonly teams: readonly ReportedTeam[];
}

interface ReportedTeam {
  readonly team: string;
  /** Calls of this instance. */
  readonly own: number;
  /** Its calls before it was restarted, which Redis may not know. */
  readonly before: readonly InstanceCalls[];
  /** Highest total that it has seen. */
  readonly known: number;
}

export interface PermitRequest {
  readonly flows: readonly WaitingFlow[];
  readonly perSecond: number;
  readonly day: DayReport;
  /** Milliseconds until this instance could call within its fraction of the limit. */
  readonly aloneMs: number;
}

export type PermitReply = {
  /** The day's calls of all instances. */
  readonly teams: readonly TeamCalls[];
} & (
  | { readonly kind: 'granted'; readonly flow: string; readonly call: string }
  /** No slot is free, or another instance is first. `elsewhere`: what other instances have queued. */
  | { readonly kind: 'wait'; readonly ms: number; readonly elsewhere: readonly WaitingFlow[] }
);

/** A call in flight, or a recent one. */
export interface CountedCall {
  readonly call: string;
  /** Milliseconds that it still counts. */
  readonly freeInMs: number;
}

/** Bound on plausible counts, in days: separated instances can overrun a day only a little. */
const mostOverrun = 10;

const take = loadScript(import.meta.url, 'lua/take-6.lua');
const end = loadScript(import.meta.url, 'lua/end-2.lua');
const giveBack = loadScript(import.meta.url, 'lua/give-back-6.lua');
const settle = loadScript(import.meta.url, 'lua/settle-6.lua');

export class SharedQuota {
  readonly #redis: Redis;
  readonly #keys: readonly string[];
  #parts = '';
  #perDay = 0;
  /** Highest plausible count. */
  #maxCount = 0;
  #calls = 0;

  /** @param parts shares of the day, by team */
  constructor(redis: Redis, perDay: number, parts: ReadonlyMap<string, TeamPart>) {
    this.#redis = redis;
    this.reconfigure(perDay, parts);
    // Redis keeps the older names of what include/day calls slots and reported.
    this.#keys = ['places', 'state', 'tags', 'waiting', 'calls', 'told'].map((name) => redis.key(`{quota}:${name}`));
  }

  /** Changes the calls of the day and their shares. Calls that a higher limit allowed stay plausible. */
  reconfigure(perDay: number, parts: ReadonlyMap<string, TeamPart>): void {
    this.#perDay = perDay;
    this.#maxCount = Math.max(this.#maxCount, mostOverrun * (perDay + 1));
    this.#parts = JSON.stringify([...parts].map(([team, { part, cap }]) => [team, part, cap]));
  }

  get isUp(): boolean {
    return this.#redis.isUp;
  }

  /** This instance's fraction of the limit while Redis is down. */
  get fraction(): Fraction {
    return this.#redis;
  }

  newCall(): string {
    return `${this.#redis.instance}-${this.#calls++}`;
  }

  /** Asks for a permit. Undefined if Redis is unavailable or its reply is invalid. */
  async ask({ flows, perSecond, day, aloneMs }: PermitRequest): Promise<PermitReply | undefined> {
    const waiting = flows.map(({ name, weight, waiting, kept }) => [name, weight, waiting, kept]);
    const call = this.newCall();
    const values = [perSecond, holdMs, call, JSON.stringify(waiting), Math.ceil(aloneMs), othersMs];
    const reply = await this.#run(take, day, values);
    if (!Array.isArray(reply)) return undefined;
    const [kind, teamsText = '', ms, elsewhere = '', flow = ''] = reply.map(String);
    const teams = this.#teamsOf(teamsText);
    if (!teams) return undefined;
    if (kind === 'granted') return { teams, kind, flow, call };
    return { teams, kind: 'wait', ms: clampWait(Number(ms)), elsewhere: read(flowsShape, elsewhere) ?? [] };
  }

  /** Reports that a call has ended, and how long it still counts. */
  ended({ call, freeInMs }: CountedCall): void {
    const [slots = '', , , waiting = ''] = this.#keys;
    void this.#redis.run(end, [slots, waiting, this.#redis.channel, call, Math.max(0, Math.ceil(freeInMs))]);
  }

  giveBack(call: string, team: string, day: DayReport): void {
    void this.#run(giveBack, day, [call, team]);
  }

  /**
   * Reports calls that Redis may have missed. Resolves with the day's calls of all instances.
   *
   * @param unseen whether calls were made while Redis was down
   */
  async settle(
    calls: readonly CountedCall[],
    unseen: boolean,
    day: DayReport,
  ): Promise<readonly TeamCalls[] | undefined> {
    const values = calls.flatMap(({ call, freeInMs }) => [call, Math.ceil(freeInMs)]);
    const reply = await this.#run(settle, day, [Number(unseen), ...values]);
    return reply === undefined ? undefined : this.#teamsOf(String(reply));
  }

  /** Notifies all instances that Constant Contact was called too often. */
  complain(pauseMs: number): void {
    this.#redis.publish('complaint', this.#redis.instance, String(Math.ceil(pauseMs)));
  }

  /** Calls `onFree` with the milliseconds until a permit may be free, and `onComplaint` on another instance's complaint. */
  listen(onFree: (inMs: number) => void, onComplaint: (pauseMs: number) => void): void {
    const { instance } = this.#redis;
    this.#redis.on('turn', (whose) => {
      if (whose === instance) onFree(0);
    });
    this.#redis.on('place', (ms) => onFree(clampWait(Number(ms))));
    this.#redis.on('complaint', (whose, ms) => {
      const pauseMs = Number(ms ?? 0);
      if (whose !== instance) onComplaint(pauseMs >= 0 ? Math.min(pauseMs, longestPauseMs) : 0);
    });
  }

  onUp(listener: () => void): void {
    this.#redis.onUp(listener);
  }

  onDown(listener: () => void): void {
    this.#redis.onDown(listener);
  }

  /** Parses the counts: Redis is untrusted input, and implausible counts are rejected. */
  #teamsOf(text: string): readonly TeamCalls[] | undefined {
    const teams = read(teamsShape, text);
    return teams?.every(({ calls }) => calls <= this.#maxCount) ? teams : undefined;
  }

  #run(script: Script, about: DayReport, values: readonly (string | number)[]) {
    const { channel, instance } = this.#redis;
    const report = JSON.stringify([
      about.day,
      about.rest,
      about.teams.map(({ team, own, known, before }) => [team, own, known, before]),
    ]);
    const day = [channel, instance, report, this.#parts, this.#perDay, this.#maxCount];
    return this.#redis.run(script, [...this.#keys, ...day, ...values]);
  }
}

const longestWaitMs = 5_000;
/** Longest pause that another instance can request, the same as Constant Contact can. */
const longestPauseMs = 60_000;

/** Clamps a wait from Redis; one second if it is not a number. */
const clampWait = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(1, ms), longestWaitMs) : 1_000);

/** Most teams with calls in a day: those of all its configurations, plus the account. */
const maxTeams = 1_000;
const teamName = /^[\w-]{0,32}$/;

const teamsShape = z
  .array(z.tuple([z.string(), z.int().nonnegative(), z.number().nonnegative()]))
  .max(maxTeams)
  // Counts under impossible names are ignored: they must not take calls from others.
  .transform((all) => all.filter(([team]) => teamName.test(team)))
  .transform((all) => all.map(([team, calls, kept]): TeamCalls => ({ team, calls, kept })));

const flowsShape = z
  .array(z.tuple([z.string().max(100), z.number().positive(), z.int().nonnegative(), z.number().nonnegative()]))
  .max(10_000)
  .transform((all) => all.map(([name, weight, waiting, kept]): WaitingFlow => ({ name, weight, waiting, kept })));

function read<T>(shape: z.ZodType<T>, text: string): T | undefined {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

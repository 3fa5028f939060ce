/**
 * What the instances ask and tell each other about their common quota, through Redis: the scripts in `lua/`, and what comes back.
 */
import { z } from 'zod';
import type { Redis } from '../redis/redis.ts';
import { loadScript, type Script } from '../redis/scripts.ts';
import type { TeamCalls, TeamPart } from './day-shares.ts';
import type { WaitingFlow } from './flows.ts';
import { type Fraction, holdMs, othersMs } from './second-limit.ts';

/** The day's calls by team, as an instance knows them. */
export interface DayReport {
  /** Number of the day since 1970-01-01 UTC. */
  readonly day: number;
  /** What is left of it: 1 at its start, 0 at its end. */
  readonly rest: number;
  /** `own`: calls that this instance has made itself; `known`: the highest count of all that was heard of. */
  readonly teams: readonly { readonly team: string; readonly own: number; readonly known: number }[];
}

export interface PermitRequest {
  readonly flows: readonly WaitingFlow[];
  readonly perSecond: number;
  readonly day: DayReport;
  /** Milliseconds until this instance could call if it were alone, within its fraction of the whole. */
  readonly aloneMs: number;
}

export type PermitReply = {
  /** The day's calls of all instances. */
  readonly teams: readonly TeamCalls[];
} & (
  | { readonly kind: 'granted'; readonly flow: string; readonly call: string }
  /** No slot is free, or another instance comes first. `elsewhere`: what waits on the other instances. */
  | { readonly kind: 'wait'; readonly ms: number; readonly elsewhere: readonly WaitingFlow[] }
);

/** A call that is under way, or was lately. */
export interface CountedCall {
  readonly call: string;
  /** Milliseconds until it counts no more. */
  readonly freeInMs: number;
}

/** Instances that have lost each other can overrun a day by a little; a count of this many days is none. */
const mostOverrun = 10;

const take = loadScript(import.meta.url, 'lua/take-6.lua');
const end = loadScript(import.meta.url, 'lua/end-2.lua');
const giveBack = loadScript(import.meta.url, 'lua/give-back-6.lua');
const settle = loadScript(import.meta.url, 'lua/settle-6.lua');

export class SharedQuota {
  readonly #redis: Redis;
  readonly #keys: readonly string[];
  readonly #parts: string;
  readonly #perDay: number;
  /** A count above this is none. */
  readonly #maxCount: number;
  #calls = 0;

  /** @param parts of a day's calls, by team */
  constructor(redis: Redis, perDay: number, parts: ReadonlyMap<string, TeamPart>) {
    this.#redis = redis;
    this.#perDay = perDay;
    this.#maxCount = mostOverrun * (perDay + 1);
    this.#parts = JSON.stringify([...parts].map(([team, { part, cap }]) => [team, part, cap]));
    // What include/day calls slots and reported has older names in Redis.
    this.#keys = ['places', 'state', 'tags', 'waiting', 'calls', 'told'].map((name) => redis.key(`{quota}:${name}`));
  }

  get isUp(): boolean {
    return this.#redis.isUp;
  }

  /** What this instance takes of the whole while Redis is down. */
  get fraction(): Fraction {
    return this.#redis;
  }

  newCall(): string {
    return `${this.#redis.instance}-${this.#calls++}`;
  }

  /** Asks for a permit. Undefined when Redis is unavailable, or its answer makes no sense. */
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

  /** A call has ended, and counts for this much longer. */
  ended({ call, freeInMs }: CountedCall): void {
    const [slots = '', , , waiting = ''] = this.#keys;
    void this.#redis.run(end, [slots, waiting, this.#redis.channel, call, Math.max(0, Math.ceil(freeInMs))]);
  }

  giveBack(call: string, team: string, day: DayReport): void {
    void this.#run(giveBack, day, [call, team]);
  }

  /**
   * Redis is back: reports the calls that it may not know. Resolves with the day's calls of all instances.
   *
   * @param unseen whether calls were made meanwhile
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

  /** Tells all instances that Constant Contact says it was called too often. */
  complain(pauseMs: number): void {
    this.#redis.publish('complaint', this.#redis.instance, String(Math.ceil(pauseMs)));
  }

  /** Calls `onFree` with the milliseconds until a permit may be had, and `onComplaint` when another instance has complained. */
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

  /** What is in Redis is input: counts beyond anything that can have happened are no answer. */
  #teamsOf(text: string): readonly TeamCalls[] | undefined {
    const teams = read(teamsShape, text);
    return teams?.every(({ calls }) => calls <= this.#maxCount) ? teams : undefined;
  }

  #run(script: Script, about: DayReport, values: readonly (string | number)[]) {
    const { channel, instance } = this.#redis;
    const report = JSON.stringify([
      about.day,
      about.rest,
      about.teams.map(({ team, own, known }) => [team, own, known]),
    ]);
    const day = [channel, instance, report, this.#parts, this.#perDay, this.#maxCount];
    return this.#redis.run(script, [...this.#keys, ...day, ...values]);
  }
}

const longestWaitMs = 5_000;
/** The longest pause that another instance can ask for: as long as Constant Contact can. */
const longestPauseMs = 60_000;

/** A wait out of Redis; a second where it is no number. */
const clampWait = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(1, ms), longestWaitMs) : 1_000);

/** As many as can be configured, before and after a change, and the account. */
const maxTeams = 201;
const teamName = /^[\w-]{0,32}$/;

const teamsShape = z
  .array(z.tuple([z.string(), z.int().nonnegative(), z.number().nonnegative()]))
  .max(maxTeams)
  // A count under a name that no team can have is ignored: it must not cost the others their turns.
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

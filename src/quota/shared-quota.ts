/**
 * One quota for all instances: one number of calls a second and a day among them, in turns that are fair between the teams
 * wherever their demands wait. Redis gives the turns; each instance keeps its own queue.
 *
 * The turns are those of start-time fair queueing, as in one instance: every instance that asks tells what waits there,
 * and the turn goes to the flow with the lowest start tag of all. If that one waits elsewhere, its instance is told.
 */
import { z } from 'zod';
import type { Redis } from '../redis/redis.ts';
import { loadScript, type Script } from '../redis/scripts.ts';
import type { TeamCalls, TeamPart } from './day-shares.ts';
import { othersMs } from './second-limit.ts';

/** What waits in one instance for one flow. */
export interface WaitingFlow {
  readonly name: string;
  readonly weight: number;
  readonly waiting: number;
  /** Calls of the day that it must leave to others. */
  readonly kept: number;
}

/** The day's calls by team, as an instance knows them. */
export interface DayReport {
  /** Number of the day since 1970-01-01 UTC. */
  readonly day: number;
  /** What is left of it: 1 at its start, 0 at its end. */
  readonly rest: number;
  /** `own`: calls that this instance has made itself; `known`: the highest count of all that was heard of. */
  readonly teams: readonly { readonly team: string; readonly own: number; readonly known: number }[];
}

export interface Question {
  readonly flows: readonly WaitingFlow[];
  readonly perSecond: number;
  readonly day: DayReport;
  /** Milliseconds until this instance could call if it were alone, within its part of the whole. */
  readonly aloneMs: number;
}

export type Ruling = {
  /** The day's calls of all instances. */
  readonly teams: readonly TeamCalls[];
} & (
  | { readonly kind: 'granted'; readonly flow: string; readonly call: string }
  /** Nothing is free, or it is somebody else's turn. `elsewhere`: what waits in the other instances. */
  | { readonly kind: 'wait'; readonly ms: number; readonly elsewhere: readonly WaitingFlow[] }
);

/** A call that is under way, or has been lately. */
export interface Place {
  readonly call: string;
  /** Milliseconds until it counts no more. */
  readonly freeInMs: number;
}

/** Instances that have lost each other can overrun a day by a little; a count of this many days is not ours. */
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
    this.#keys = ['places', 'state', 'tags', 'waiting', 'calls', 'told'].map((name) => redis.key(`{quota}:${name}`));
  }

  get isUp(): boolean {
    return this.#redis.isUp;
  }

  /** The part of the whole that this instance takes while it is alone. */
  get share(): { readonly instances: number; readonly rank: number } {
    return this.#redis;
  }

  newCall(): string {
    return `${this.#redis.instance}-${this.#calls++}`;
  }

  /** Asks for a turn. Undefined when Redis is unavailable, or answers what is no answer. */
  async ask({ flows, perSecond, day, aloneMs }: Question, holdMs: number): Promise<Ruling | undefined> {
    const waiting = flows.map(({ name, weight, waiting, kept }) => [name, weight, waiting, kept]);
    const call = this.newCall();
    const values = [perSecond, holdMs, call, JSON.stringify(waiting), Math.ceil(aloneMs), othersMs];
    const reply = await this.#run(take, day, values);
    if (!Array.isArray(reply)) return undefined;
    const [kind, teams = '', ms, elsewhere = '', flow = ''] = reply.map(String);
    const told = this.#teamsOf(teams);
    if (!told) return undefined;
    if (kind === 'granted') return { teams: told, kind, flow, call };
    return { teams: told, kind: 'wait', ms: clampWait(Number(ms)), elsewhere: read(flowsShape, elsewhere) ?? [] };
  }

  /** Tells that a call has been answered, and counts for so much longer. */
  ended({ call, freeInMs }: Place): void {
    const [places = '', , , waiting = ''] = this.#keys;
    void this.#redis.run(end, [places, waiting, this.#redis.channel, call, Math.max(0, Math.ceil(freeInMs))]);
  }

  giveBack(call: string, team: string, day: DayReport): void {
    void this.#run(giveBack, day, [call, team]);
  }

  /** Redis is back: tells of the calls that it may not know of. Resolves with the day's calls of all instances. */
  async settle(places: readonly Place[], unseen: boolean, day: DayReport): Promise<readonly TeamCalls[] | undefined> {
    const told = places.flatMap(({ call, freeInMs }) => [call, Math.ceil(freeInMs)]);
    const reply = await this.#run(settle, day, [Number(unseen), ...told]);
    return reply === undefined ? undefined : this.#teamsOf(String(reply));
  }

  /** Tells all instances that Constant Contact says that it was called too often. */
  complain(pauseMs: number): void {
    this.#redis.publish('complaint', this.#redis.instance, String(Math.ceil(pauseMs)));
  }

  /** Calls `onTurn` with the milliseconds until a turn may be had, and `onComplaint` when another instance has complained. */
  listen(onTurn: (inMs: number) => void, onComplaint: (pauseMs: number) => void): void {
    const { instance } = this.#redis;
    this.#redis.on('turn', (whose) => {
      if (whose === instance) onTurn(0);
    });
    this.#redis.on('place', (ms) => onTurn(clampWait(Number(ms))));
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

/** A wait that Redis names. What is none is asked again soon. */
const clampWait = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(1, ms), longestWaitMs) : 1_000);

/** Teams of which Redis tells: of as many as can be configured, before and after a change, and the account. */
const maxTeams = 201;
const teamName = z.string().regex(/^[\w-]{0,32}$/);

const teamsShape = z
  .array(z.tuple([teamName, z.int().nonnegative(), z.number().nonnegative()]))
  .max(maxTeams)
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

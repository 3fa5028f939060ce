/**
 * The current state for `GET /status`: complete on the management listener, reduced for callers.
 */

import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Now } from '../quota/day.ts';
import { accountName } from '../quota/day-shares.ts';
import { type Urgency, urgencies } from '../quota/demand.ts';
import type { QuotaStatus } from '../quota/quota.ts';
import { DayPace } from './day-pace.ts';
import { conditionOf, type UpstreamState, upstreamConditions } from './health.ts';
import { cacheOutcomes } from './request-record.ts';
import type { Tallied } from './tally.ts';

/** Waits kept per team and urgency for the percentiles. */
const maxWaits = 200;

export interface StatusParts extends UpstreamState {
  readonly clock: Clock;
  readonly quota: () => QuotaStatus;
  readonly circuitOpen: () => boolean;
  readonly cache: () => { readonly bytes: number; readonly pages: number };
  readonly sharing: () => Status['sharing'];
  readonly storage: () => Status['storage'];
}

/** Responses since start. */
interface Served {
  /** All responses, counted. */
  readonly responses: readonly Tallied[];
  /** Bytes of prepared responses, outside the page cache. */
  readonly bytes: number;
}

const count = z.int().nonnegative();

/** The state that every caller may see: other callers only as teams, and no campaigns. */
export const publicStatusSchema = z.object({
  upstream: z
    .object({
      callsThisSecond: count.meta({ description: 'Calls of this instance' }),
      perSecond: z.number().meta({
        description: "Calls currently allowed per second; while Redis is unavailable, this instance's fraction",
      }),
      callsToday: count.meta({
        description: 'Calls of all instances; while Redis is unavailable, those known before, and of this instance',
      }),
      leftToday: count.meta({
        description:
          "Calls left; while Redis is unavailable, of this instance's fraction; 0 once Constant Contact says that the day is spent",
      }),
      dayEndsAt: z.string().meta({ format: 'date-time', description: 'When the daily count resets' }),
      circuit: z.enum(['open', 'closed']).meta({ description: '`open` while Constant Contact is considered down' }),
      credentials: z.enum(['refused', 'ok']),
      quota: z.enum(['exhausted', 'ok']),
      api: z
        .enum(['gone', 'ok'])
        .meta({ description: '`gone` once Constant Contact has withdrawn the version in use' }),
      state: z.enum(upstreamConditions).meta({
        description:
          'What stops calls, the gravest first; `untested`: no call since start; `failing`: down, or no call was answered',
      }),
      since: z.string().meta({ format: 'date-time', description: 'When `state` began; at the earliest, the start' }),
      pace: z
        .object({
          calls: count,
          seconds: count.meta({ description: 'At most half an hour; only since start, and since 00:00 UTC' }),
        })
        .meta({ description: "The day's calls in the last `seconds`" }),
    })
    .meta({ description: "State of Constant Contact, and what is left of the account's limits" }),
  teams: z
    .array(
      z.object({
        team: z.string().meta({ description: '`(account)`: calls of no team, such as probes' }),
        calls: count.meta({ description: 'Calls made since 00:00 UTC' }),
        part: count.meta({ description: "The team's share: calls per day guaranteed to it" }),
        borrowed: count.meta({ description: 'Calls made beyond its share' }),
        kept: count.meta({ description: 'Calls of its share that no other team can borrow now' }),
        available: count.meta({ description: 'Calls that it can make now' }),
      }),
    )
    .meta({ description: "The day's calls, by team" }),
  queues: z
    .array(
      z.object({
        team: z.string(),
        urgency: z.enum(urgencies).meta({
          description: '`interactive`: a caller waits; `refresh`: stale pages and read-ahead; `bulk`: exports',
        }),
        waiting: count.meta({ description: 'Calls in the queue' }),
        waitP50: z.number().meta({ description: 'Seconds, of the last 200 calls' }),
        waitP95: z.number(),
        calls: count.meta({ description: 'Calls queued since start, however briefly' }),
      }),
    )
    .meta({ description: 'Calls queued for Constant Contact and how long they wait, by team and urgency' }),
  served: z
    .record(z.string(), z.partialRecord(z.enum(cacheOutcomes), count))
    .meta({ description: 'Pages served since start, by team and cache outcome' }),
  errors: z
    .record(z.string(), z.object({ rateLimited: count, rejected: count, failed: count }))
    .meta({ description: 'Errors since start, by team: 429; all other 4xx; 5xx' }),
});
export type PublicStatus = z.output<typeof publicStatusSchema>;

export interface Status extends PublicStatus {
  readonly cache: { readonly bytes: number; readonly pages: number };
  /** `instances`: as last seen, including this one. */
  readonly sharing: { readonly redis: 'up' | 'down' | 'none'; readonly instances: number };
  /** Pages that are kept over a restart. */
  readonly storage: { readonly state: 'none' | 'up' | 'down'; readonly bytes: number; readonly pages: number };
}

export class StatusBoard {
  readonly #parts: StatusParts;
  readonly #waits = new Map<string, { readonly last: number[]; calls: number }>();
  readonly #pace = new DayPace();
  #condition: { readonly state: PublicStatus['upstream']['state']; readonly since: string };

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#condition = { state: conditionOf(parts), since: this.#instant };
  }

  /** Notes the calls of the day, and what stops calls and since when. To be called after every call and every change. */
  observe(): void {
    this.#pace.note(this.#parts.quota(), this.#now);
    this.#observeCondition();
  }

  waited(team: string, urgency: Urgency, seconds: number): void {
    const key = `${urgency} ${team}`;
    const waits = this.#waits.get(key) ?? { last: [], calls: 0 };
    waits.last.push(seconds);
    if (waits.last.length > maxWaits) waits.last.shift();
    waits.calls++;
    this.#waits.set(key, waits);
  }

  /** The state that every caller may see. */
  readPublic(responses: readonly Tallied[]): PublicStatus {
    const { upstream, teams, queues, served, errors } = this.read({ responses, bytes: 0 });
    return { upstream, teams, queues, served, errors };
  }

  read({ responses, bytes }: Served): Status {
    const { queues, teams, ...upstream } = this.#parts.quota();
    const cache = this.#parts.cache();
    const isSpent = this.#parts.quotaExhausted();
    this.#observeCondition();
    return {
      upstream: {
        ...upstream,
        leftToday: isSpent ? 0 : upstream.leftToday,
        circuit: this.#parts.circuitOpen() ? 'open' : 'closed',
        credentials: this.#parts.credentialsRefused() ? 'refused' : 'ok',
        quota: isSpent ? 'exhausted' : 'ok',
        api: this.#parts.gone() ? 'gone' : 'ok',
        ...this.#condition,
        pace: this.#pace.read(upstream, this.#now),
      },
      teams: teams.map((day) => ({
        ...day,
        team: day.team || accountName,
        available: isSpent ? 0 : day.available,
      })),
      queues: queues.map(({ team, urgency, waiting }) => {
        const { last = [], calls = 0 } = this.#waits.get(`${urgency} ${team}`) ?? {};
        const waits = [...last].sort((a, b) => a - b);
        return { team, urgency, waiting, waitP50: percentile(waits, 50), waitP95: percentile(waits, 95), calls };
      }),
      served: servedOf(responses),
      errors: errorsOf(responses),
      cache: { ...cache, bytes: cache.bytes + bytes },
      sharing: this.#parts.sharing(),
      storage: this.#parts.storage(),
    };
  }

  #observeCondition(): void {
    const state = conditionOf(this.#parts);
    if (state !== this.#condition.state) this.#condition = { state, since: this.#instant };
  }

  get #now(): Now {
    return { wall: this.#parts.clock.now(), monotonic: this.#parts.clock.monotonic() };
  }

  get #instant(): string {
    return new Date(this.#parts.clock.now()).toISOString();
  }
}

function servedOf(responses: readonly Tallied[]): PublicStatus['served'] {
  const all: PublicStatus['served'] = {};
  for (const { team, cache, count } of responses) {
    if (cache === undefined) continue;
    all[team] ??= {};
    const served = all[team];
    served[cache] = (served[cache] ?? 0) + count;
  }
  return all;
}

/** A client that disconnected, which is no error of anybody (nginx's status). */
const disconnected = 499;

function errorsOf(responses: readonly Tallied[]): PublicStatus['errors'] {
  const all: PublicStatus['errors'] = {};
  for (const { team, status, count } of responses) {
    if (status < 400 || status === disconnected) continue;
    all[team] ??= { rateLimited: 0, rejected: 0, failed: 0 };
    all[team][status === 429 ? 'rateLimited' : status < 500 ? 'rejected' : 'failed'] += count;
  }
  return all;
}

/** A percentile of sorted values; 0 without values. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}

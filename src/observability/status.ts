/**
 * What goes on right now, for people: `GET /status`, whole on the management listener and reduced for callers.
 */

import { z } from 'zod';
import { accountName } from '../quota/day-shares.ts';
import { type Urgency, urgencies } from '../quota/demand.ts';
import type { QuotaStatus } from '../quota/quota.ts';
import { cacheOutcomes } from './request-record.ts';
import type { Tallied } from './tally.ts';

/** Waits of one team and urgency that are remembered for the percentiles. */
const maxWaits = 200;

export interface StatusParts {
  readonly quota: () => QuotaStatus;
  readonly circuitOpen: () => boolean;
  readonly gone: () => boolean;
  readonly credentialsRefused: () => boolean;
  readonly quotaExhausted: () => boolean;
  readonly cache: () => { readonly bytes: number; readonly pages: number };
  readonly sharing: () => Status['sharing'];
}

/** What callers were given since the start. */
interface Served {
  /** All responses, counted. */
  readonly responses: readonly Tallied[];
  /** Bytes held to respond with, beside the page cache. */
  readonly bytes: number;
}

const count = z.int().nonnegative();

/** What every caller may know: nothing of other callers but their team, nothing of campaigns. */
export const publicStatusSchema = z.object({
  upstream: z
    .object({
      callsThisSecond: count,
      perSecond: z.number().meta({ description: 'Calls that may be made in a second, at present' }),
      callsToday: count,
      leftToday: count,
      dayEndsAt: z.string().meta({ format: 'date-time', description: 'When the count of the day begins anew' }),
      circuit: z.enum(['open', 'closed']).meta({ description: '`open` while Constant Contact is taken to be down' }),
      credentials: z.enum(['refused', 'ok']),
      quota: z.enum(['exhausted', 'ok']),
      api: z
        .enum(['gone', 'ok'])
        .meta({ description: '`gone` when Constant Contact has withdrawn the version in use' }),
    })
    .meta({ description: "Constant Contact, and what is left of the account's limits" }),
  teams: z
    .array(
      z.object({
        team: z.string().meta({ description: '`(account)`: calls of no team, such as probes' }),
        calls: count.meta({ description: 'Calls made since 00:00 UTC' }),
        part: count.meta({ description: 'Calls of a day that the team is sure of' }),
        borrowed: count.meta({ description: 'Calls beyond its part' }),
        available: count.meta({ description: 'Calls that it may still make now' }),
      }),
    )
    .meta({ description: "Who spends the day's calls" }),
  queues: z
    .array(
      z.object({
        team: z.string(),
        urgency: z.enum(urgencies).meta({ description: '`bulk`: exports; `refresh`: pages that are held, but stale' }),
        waiting: count.meta({ description: 'Calls that wait for their turn' }),
        waitP50: z.number().meta({ description: 'Seconds, of the last 200 calls' }),
        waitP95: z.number(),
        calls: count.meta({ description: 'Calls that have waited since the start, if only for a moment' }),
      }),
    )
    .meta({ description: 'Who waits for a call to Constant Contact, and how long it takes' }),
  served: z
    .record(z.string(), z.partialRecord(z.enum(cacheOutcomes), count))
    .meta({ description: 'Pages served since start, by team and cache outcome' }),
});
export type PublicStatus = z.output<typeof publicStatusSchema>;

export interface Status extends PublicStatus {
  readonly cache: { readonly bytes: number; readonly pages: number };
  /** `instances`: as last seen, this one among them. */
  readonly sharing: { readonly redis: 'up' | 'down' | 'none'; readonly instances: number };
}

export class StatusBoard {
  readonly #parts: StatusParts;
  readonly #waits = new Map<string, { readonly last: number[]; calls: number }>();

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  waited(team: string, urgency: Urgency, seconds: number): void {
    const key = `${urgency} ${team}`;
    const waits = this.#waits.get(key) ?? { last: [], calls: 0 };
    waits.last.push(seconds);
    if (waits.last.length > maxWaits) waits.last.shift();
    waits.calls++;
    this.#waits.set(key, waits);
  }

  /** What every caller may know. */
  readPublic(responses: readonly Tallied[]): PublicStatus {
    const { upstream, teams, queues, served } = this.read({ responses, bytes: 0 });
    return { upstream, teams, queues, served };
  }

  read({ responses, bytes }: Served): Status {
    const { queues, teams, ...upstream } = this.#parts.quota();
    const cache = this.#parts.cache();
    return {
      upstream: {
        ...upstream,
        circuit: this.#parts.circuitOpen() ? 'open' : 'closed',
        credentials: this.#parts.credentialsRefused() ? 'refused' : 'ok',
        quota: this.#parts.quotaExhausted() ? 'exhausted' : 'ok',
        api: this.#parts.gone() ? 'gone' : 'ok',
      },
      teams: teams.map((day) => ({ ...day, team: day.team || accountName })),
      queues: queues.map(({ team, urgency, waiting }) => {
        const { last = [], calls = 0 } = this.#waits.get(`${urgency} ${team}`) ?? {};
        const waits = [...last].sort((a, b) => a - b);
        return { team, urgency, waiting, waitP50: percentile(waits, 50), waitP95: percentile(waits, 95), calls };
      }),
      served: servedOf(responses),
      cache: { ...cache, bytes: cache.bytes + bytes },
      sharing: this.#parts.sharing(),
    };
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

/** Of sorted values; 0 when there are none. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}

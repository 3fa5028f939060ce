/**
 * What goes on right now, for people: `GET /status` on the management listener.
 */

import type { Urgency } from '../upstream/quota/demand.ts';
import type { QuotaStatus } from '../upstream/quota/quota.ts';
import type { Told } from './exchange.ts';

/** Waits of one team and urgency that are remembered for the percentiles. */
const maxWaits = 200;

export interface StatusParts {
  readonly quota: () => QuotaStatus;
  readonly circuitOpen: () => boolean;
  readonly credentialsRefused: () => boolean;
  readonly quotaExhausted: () => boolean;
  readonly cache: () => { readonly bytes: number; readonly pages: number };
  readonly sharing: () => Status['sharing'];
}

interface WaitStatus {
  readonly team: string;
  readonly urgency: Urgency;
  readonly waiting: number;
  /** Seconds, of the last calls. */
  readonly waitP50: number;
  readonly waitP95: number;
}

export interface Status {
  readonly upstream: {
    readonly callsThisSecond: number;
    readonly perSecond: number;
    readonly callsToday: number;
    readonly leftToday: number;
    readonly dayEndsAt: string;
    readonly circuit: 'open' | 'closed';
    readonly credentials: 'refused' | 'ok';
    readonly quota: 'exhausted' | 'ok';
  };
  readonly queues: readonly WaitStatus[];
  /** Pages answered since the start, by team and cache outcome. */
  readonly served: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly cache: { readonly bytes: number; readonly pages: number };
  /** `instances`: as last seen, this one among them. */
  readonly sharing: { readonly redis: 'up' | 'down' | 'none'; readonly instances: number };
}

export class StatusBoard {
  readonly #parts: StatusParts;
  readonly #waits = new Map<string, number[]>();
  readonly #served: Record<string, Record<string, number>> = {};

  constructor(parts: StatusParts) {
    this.#parts = parts;
  }

  waited(team: string, urgency: Urgency, seconds: number): void {
    const key = `${urgency} ${team}`;
    const waits = this.#waits.get(key) ?? [];
    waits.push(seconds);
    if (waits.length > maxWaits) waits.shift();
    this.#waits.set(key, waits);
  }

  /** Told of every answer. */
  request({ team, cache }: Told): void {
    if (cache === undefined) return;
    this.#served[team] ??= {};
    const served = this.#served[team];
    served[cache] = (served[cache] ?? 0) + 1;
  }

  read(): Status {
    const { queues, ...upstream } = this.#parts.quota();
    return {
      upstream: {
        ...upstream,
        circuit: this.#parts.circuitOpen() ? 'open' : 'closed',
        credentials: this.#parts.credentialsRefused() ? 'refused' : 'ok',
        quota: this.#parts.quotaExhausted() ? 'exhausted' : 'ok',
      },
      queues: queues.map(({ team, urgency, waiting }) => {
        const waits = [...(this.#waits.get(`${urgency} ${team}`) ?? [])].sort((a, b) => a - b);
        return { team, urgency, waiting, waitP50: percentile(waits, 50), waitP95: percentile(waits, 95) };
      }),
      served: this.#served,
      cache: this.#parts.cache(),
      sharing: this.#parts.sharing(),
    };
  }
}

/** Of sorted values; 0 when there are none. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}

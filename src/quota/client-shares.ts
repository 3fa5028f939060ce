/**
 * Shares a team's daily calls between its clients: one half for the asking client, the other for all others together, lent by
 * the rule of the teams. A client alone in its team may use everything. In memory, per instance.
 */
import { LRUCache } from 'lru-cache';
import { upTo } from '../model/lru.ts';
import { dayMs } from './day.ts';

/** Most clients remembered per team; the one without a call for longest is evicted. */
const maxClients = 10_000;

interface TeamClients {
  /** The client seen last, when, and when another one was; monotonic. */
  last: string;
  lastAt: number;
  othersAt: number;
  /** Today's calls by client, and their sum. */
  readonly calls: LRUCache<string, number>;
  all: number;
}

/** Today's quota of the asking client's team. */
export interface TeamDay {
  /** The team's share of the day. */
  readonly part: number;
  readonly calls: number;
  /** Calls that the team may still make. */
  readonly available: number;
  /** Rest of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
}

export class ClientShares {
  readonly #teams = new Map<string, TeamClients>();

  /** Records a request of a client, whatever its outcome. */
  seen(team: string, client: string, monotonicMs: number): void {
    const known = this.#of(team);
    if (known.last !== client) known.othersAt = known.lastAt;
    known.last = client;
    known.lastAt = monotonicMs;
  }

  spend(team: string, client: string): void {
    const known = this.#of(team);
    known.calls.set(client, (known.calls.get(client) ?? 0) + 1);
    known.all++;
  }

  /** Uncounts a call that is not made. */
  giveBack(team: string, client: string): void {
    const known = this.#of(team);
    const calls = known.calls.peek(client) ?? 0;
    if (calls === 0) return;
    known.calls.set(client, calls - 1);
    known.all--;
  }

  /** Resets the counts for a new day. */
  forgetCalls(): void {
    for (const known of this.#teams.values()) {
      known.calls.clear();
      known.all = 0;
    }
  }

  /** Returns the calls that this client must leave to others of its team. */
  keptByOthers(team: string, client: string, { part, calls, available, rest }: TeamDay, monotonicMs: number): number {
    const known = this.#of(team);
    const othersAt = known.last === client ? known.othersAt : known.lastAt;
    if (monotonicMs - othersAt > dayMs) return 0;
    // If other teams have borrowed from this one, there is less than its share to divide.
    const half = Math.min(part, calls + available) / 2;
    const callsOfOthers = known.all - (known.calls.peek(client) ?? 0);
    return Math.max(0, Math.round(Math.min(half - callsOfOthers, half * rest)));
  }

  #of(team: string): TeamClients {
    let known = this.#teams.get(team);
    if (!known) {
      const never = Number.NEGATIVE_INFINITY;
      known = { last: '', lastAt: never, othersAt: never, calls: new LRUCache(upTo(maxClients)), all: 0 };
      this.#teams.set(team, known);
    }
    return known;
  }
}

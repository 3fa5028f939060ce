/**
 * How a team's calls of a day are shared between its clients: the asking one has one half, all others together the
 * other, by the rule of the teams. A client that is alone in its team has everything. In memory, of one instance.
 */
import { LRUCache } from 'lru-cache';
import { dayMs } from './day.ts';

/** Clients of one team whose calls are remembered; past it the one that has not called for longest is forgotten. */
const maxClients = 10_000;

interface TeamClients {
  /** Who was seen last, when, and when anybody else was; on the monotonic clock. */
  last: string;
  lastAt: number;
  othersAt: number;
  /** Calls of the day by client, and of all together. */
  readonly calls: LRUCache<string, number>;
  all: number;
}

/** What is known of the team of an asking client. */
export interface TeamDay {
  /** Calls that the team is sure of in a day. */
  readonly part: number;
  readonly calls: number;
  /** Calls that it may still make. */
  readonly available: number;
  /** What is left of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
}

export class ClientShares {
  readonly #teams = new Map<string, TeamClients>();

  /** A client has sent a request, whatever came of it. */
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

  /** A new day has begun. */
  forgetCalls(): void {
    for (const known of this.#teams.values()) {
      known.calls.clear();
      known.all = 0;
    }
  }

  /** Calls that this client has to leave to the others of its team. */
  keptByOthers(team: string, client: string, { part, calls, available, rest }: TeamDay, monotonicMs: number): number {
    const known = this.#of(team);
    const othersAt = known.last === client ? known.othersAt : known.lastAt;
    if (monotonicMs - othersAt > dayMs) return 0;
    // Where other teams have borrowed from this one, there is less to divide than its part.
    const half = Math.min(part, calls + available) / 2;
    const callsOfOthers = known.all - (known.calls.peek(client) ?? 0);
    return Math.max(0, Math.round(Math.min(half - callsOfOthers, half * rest)));
  }

  #of(team: string): TeamClients {
    let known = this.#teams.get(team);
    if (!known) {
      const never = Number.NEGATIVE_INFINITY;
      known = { last: '', lastAt: never, othersAt: never, calls: new LRUCache({ max: maxClients }), all: 0 };
      this.#teams.set(team, known);
    }
    return known;
  }
}

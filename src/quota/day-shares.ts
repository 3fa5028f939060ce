/**
 * Shares the day's calls between teams: each keeps a share, and lends what it does not use, more freely the less of the day
 * is left.
 *
 * A team keeps `min(share − calls, share × rest of the day)`, and less once it has spent what it kept. Others may call as
 * long as that remains. See docs/decisions/0022. lua/include/day does the same for all instances;
 * test/conformance/day-shares.ts runs for both.
 */

/** A team's share of the day. */
export interface TeamPart {
  /** Calls: the day's calls by weight. */
  readonly part: number;
  /** Most calls in a day, whatever the others leave. */
  readonly cap: number;
  /** Whether the team counts as one client, so that its clients do not share with each other. */
  readonly isWhole: boolean;
}

/** A team's day so far. */
export interface TeamCalls {
  readonly team: string;
  readonly calls: number;
  /** The most of its share that it still keeps; lending reduces that over time. */
  readonly kept: number;
}

/** Name for calls of no team: probes. Few, so they ignore the shares. */
export const account = '';
/** Display name of the account. No team can have it. */
export const accountName = '(account)';

const noPart: TeamPart = { part: 0, cap: Number.POSITIVE_INFINITY, isWhole: true };

/** Settings that determine a team's share. */
export interface TeamShare {
  /** Relative to the other teams' weights; above 0. */
  readonly weight: number;
  /** Most calls in a day. Default: all. */
  readonly callsPerDay?: number | undefined;
  /** Rate limit of the team as a whole. Without it, its clients share the day with each other. */
  readonly requestsPerMinute?: number | undefined;
}

/** Rounds to nine digits, as lua/include/day does: both decide alike where half a call matters. */
const rounded = (calls: number) => Math.round(calls * 1e9) / 1e9;

/** Divides a day by weight, with each team's cap. */
export function partsOf(perDay: number, teams: ReadonlyMap<string, TeamShare>): ReadonlyMap<string, TeamPart> {
  const all = [...teams.values()].reduce((sum, { weight }) => sum + weight, 0);
  return new Map(
    [...teams].map(([team, { weight, callsPerDay = perDay, requestsPerMinute }]) => [
      team,
      {
        part: Math.min((perDay * weight) / all, callsPerDay),
        cap: callsPerDay,
        isWhole: requestsPerMinute !== undefined,
      },
    ]),
  );
}

/** Returns the shares of one of `instances` equal fractions. */
export function dividedParts(parts: ReadonlyMap<string, TeamPart>, instances: number): ReadonlyMap<string, TeamPart> {
  return new Map(
    [...parts].map(([team, { part, cap, isWhole }]) => [
      team,
      { part: part / instances, cap: cap / instances, isWhole },
    ]),
  );
}

interface TeamState {
  calls: number;
  kept: number;
  /** The share that `kept` is a part of: the last one, for a team that was removed; 0 for one that had none. */
  readonly share: number;
}

/** One day's calls by team. `rest` is the rest of the day throughout: 1 at its start, 0 at its end. */
export class DayShares {
  readonly #total: number;
  readonly #parts: ReadonlyMap<string, TeamPart>;
  readonly #teams = new Map<string, TeamState>();
  #used = 0;

  /** @param total calls of the day */
  constructor(total: number, parts: ReadonlyMap<string, TeamPart>) {
    this.#total = total;
    this.#parts = parts;
    for (const [team, { part }] of parts) this.#teams.set(team, { calls: 0, kept: part, share: part });
  }

  /** Calls of the day, spent or not. */
  get total(): number {
    return this.#total;
  }

  get used(): number {
    return this.#used;
  }

  get left(): number {
    return Math.max(0, this.#total - this.#used);
  }

  /** The counts, for a restart and for other instances. */
  get teams(): readonly TeamCalls[] {
    return [...this.#teams].map(([team, { calls, kept }]) => ({ team, calls, kept }));
  }

  callsOf(team: string): number {
    return this.#teams.get(team)?.calls ?? 0;
  }

  partOf(team: string): TeamPart {
    return this.#parts.get(team) ?? noPart;
  }

  /**
   * Returns the calls that the team may make now if the others make none.
   *
   * @param reserve calls to leave to more urgent demands
   */
  available(team: string, rest: number, reserve = 0): number {
    if (team === account) return this.left;
    // A team that was removed: its requests in progress are served, at the cost of all others.
    if (!this.#parts.has(team)) return Math.max(0, this.left - reserve);
    const others = [...this.#teams.keys()].filter((other) => other !== team);
    const keptByOthers = others.reduce((sum, other) => sum + Math.round(this.#kept(other, rest)), 0);
    return Math.max(0, Math.min(this.left - reserve - keptByOthers, this.partOf(team).cap - this.callsOf(team)));
  }

  /** Returns the calls of its share that no other team can borrow now. */
  keeps(team: string, rest: number): number {
    return Math.round(this.#kept(team, rest));
  }

  /** Counts a call. What the others keep stays untouched: a team that exceeds the free calls pays from its own share. */
  spend(team: string, rest: number): void {
    this.#count(team, 1);
    const mine = this.#teams.get(team);
    if (mine && this.#parts.has(team)) mine.kept = rounded(Math.max(0, this.#kept(team, rest) - this.#missing(rest)));
    this.#level(rest);
  }

  /** Uncounts a call that is not made. */
  giveBack(team: string): void {
    const known = this.#teams.get(team);
    if (!known || known.calls < 1) return; // Of an instance's fraction, a part of a call.
    this.#count(team, -1);
    known.kept++;
  }

  /** Adopts counts from elsewhere; a count never falls. */
  adopt(teams: readonly TeamCalls[], rest: number): void {
    for (const { team, calls, kept } of teams) {
      this.#count(team, Math.max(0, calls - this.callsOf(team)));
      const known = this.#teams.get(team);
      if (known) known.kept = Math.max(0, Math.min(known.kept, kept));
    }
    this.#level(rest);
  }

  /**
   * Returns the same day with other calls or shares. Counts stay. What a team keeps changes as its share does: of a share twice
   * as large it keeps twice as much.
   */
  reshared(total: number, parts: ReadonlyMap<string, TeamPart>, rest: number): DayShares {
    const reshared = new DayShares(total, parts);
    reshared.#used = this.#used;
    for (const [team, { calls, kept, share }] of this.#teams) {
      const part = parts.get(team)?.part;
      if (part === undefined) reshared.#teams.set(team, { calls, kept, share });
      else reshared.#teams.set(team, { calls, kept: share > 0 ? rounded((kept * part) / share) : part, share: part });
    }
    reshared.#level(rest);
    return reshared;
  }

  /** Returns the day's fraction for one of `instances`, with `total` calls left. */
  divide(total: number, instances: number): DayShares {
    const used = this.#used / instances;
    const divided = new DayShares(used + total, dividedParts(this.#parts, instances));
    divided.#used = used;
    for (const [team, { calls, kept, share }] of this.#teams) {
      divided.#teams.set(team, { calls: calls / instances, kept: kept / instances, share: share / instances });
    }
    return divided;
  }

  #count(team: string, calls: number): void {
    const known = this.#teams.get(team) ?? { calls: 0, kept: 0, share: 0 };
    known.calls += calls;
    this.#teams.set(team, known);
    this.#used += calls;
  }

  #kept(team: string, rest: number): number {
    const { part, cap } = this.partOf(team);
    const { calls, kept } = this.#teams.get(team) ?? { calls: 0, kept: 0 };
    return Math.max(0, Math.min(kept, part - calls, cap - calls, part * rest));
  }

  /** Calls that teams keep beyond those left. */
  #missing(rest: number): number {
    const kept = [...this.#teams.keys()].reduce((sum, team) => sum + Math.round(this.#kept(team, rest)), 0);
    return Math.max(0, kept - this.left);
  }

  /** Takes missing calls from all teams in proportion: probes, changed weights or a flushed Redis are no team's fault. */
  #level(rest: number): void {
    if (this.#missing(rest) === 0) return;
    const sharing = [...this.#teams].filter(([team]) => this.#parts.has(team));
    const all = sharing.map(([team, state]) => ({ state, kept: this.#kept(team, rest) }));
    const sum = all.reduce((total, { kept }) => total + kept, 0);
    for (const { state, kept } of all) state.kept = rounded((kept * this.left) / sum);
  }
}

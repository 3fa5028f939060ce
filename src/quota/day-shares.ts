/**
 * How the calls of a day are shared between teams: each team keeps a part of them, and what it does not use is lent to
 * the others, the more freely the less of the day is left.
 *
 * A team keeps `min(part − calls, part × rest of the day)` of its part, and less once it has made calls out of what it
 * kept. It may call while that leaves the others what they keep. See docs/decisions/0022. lua/include/day does the same for all
 * instances; test/conformance/day-shares.ts runs for both.
 */

/** What a team is sure of in a day. */
export interface TeamPart {
  /** Calls: its weight's part of the day. */
  readonly part: number;
  /** Calls that it may make in a day, whatever the others leave. */
  readonly cap: number;
  /** Whether its clients do not share with each other, since its requests are counted as a whole. */
  readonly isWhole: boolean;
}

/** One team's day so far. */
export interface TeamCalls {
  readonly team: string;
  readonly calls: number;
  /** The most of its part that it still keeps; time takes from that. */
  readonly kept: number;
}

/** The calls that belong to no team: probes. They ignore the teams' parts, since they are few. */
export const account = '';
/** How people read of it. No team can have that name. */
export const accountName = '(account)';

const noPart: TeamPart = { part: 0, cap: Number.POSITIVE_INFINITY, isWhole: true };

/** What decides a team's part of the day. */
export interface TeamShare {
  /** In proportion to those of the other teams; above 0. */
  readonly weight: number;
  /** The most calls that it may make in a day; as many as there are without it. */
  readonly callsPerDay?: number | undefined;
  /** Of the team as a whole; without it, its clients share the day with each other. */
  readonly requestsPerMinute?: number | undefined;
}

/** To nine digits, as lua/include/day does: both decide alike where half a call matters. */
const rounded = (calls: number) => Math.round(calls * 1e9) / 1e9;

/** Parts of a day by weight, with the teams' own caps. */
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

/** Calls of one day by team. `rest`, wherever it is asked for, is what is left of the day: 1 at its start, 0 at its end. */
export class DayShares {
  readonly #total: number;
  readonly #parts: ReadonlyMap<string, TeamPart>;
  readonly #teams = new Map<string, { calls: number; kept: number }>();
  #used = 0;

  /** @param total calls of the day */
  constructor(total: number, parts: ReadonlyMap<string, TeamPart>) {
    this.#total = total;
    this.#parts = parts;
    for (const [team, { part }] of parts) this.#teams.set(team, { calls: 0, kept: part });
  }

  get used(): number {
    return this.#used;
  }

  get left(): number {
    return Math.max(0, this.#total - this.#used);
  }

  /** What has been counted, for a restart and for other instances. */
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
   * Calls that the team may still make now, if the others make none.
   *
   * @param reserve calls that it has to leave to more urgent ones
   */
  available(team: string, rest: number, reserve = 0): number {
    if (team === account) return this.left;
    const others = [...this.#teams.keys()].filter((other) => other !== team);
    const keptByOthers = others.reduce((sum, other) => sum + Math.round(this.#kept(other, rest)), 0);
    return Math.max(0, Math.min(this.left - reserve - keptByOthers, this.partOf(team).cap - this.callsOf(team)));
  }

  /** Counts a call. What the others keep stays whole: a team that has gone beyond what is free pays with its own. */
  spend(team: string, rest: number): void {
    this.#count(team, 1);
    const mine = this.#teams.get(team);
    if (mine && team !== account) mine.kept = rounded(Math.max(0, this.#kept(team, rest) - this.#missing(rest)));
    this.#level(rest);
  }

  /** A call that was counted is not made. */
  giveBack(team: string): void {
    const known = this.#teams.get(team);
    if (!known || known.calls === 0) return;
    this.#count(team, -1);
    known.kept++;
  }

  /** Takes over what was counted elsewhere; a count never falls. */
  adopt(teams: readonly TeamCalls[], rest: number): void {
    for (const { team, calls, kept } of teams) {
      this.#count(team, Math.max(0, calls - this.callsOf(team)));
      const known = this.#teams.get(team);
      if (known) known.kept = Math.max(0, Math.min(known.kept, kept));
    }
    this.#level(rest);
  }

  /** The same day in one of `instances` equal parts, with `total` calls left in it. */
  divide(total: number, instances: number): DayShares {
    const parts = [...this.#parts].map(
      ([team, { part, cap, isWhole }]) => [team, { part: part / instances, cap: cap / instances, isWhole }] as const,
    );
    const used = this.#used / instances;
    const divided = new DayShares(used + total, new Map(parts));
    divided.#used = used;
    for (const [team, { calls, kept }] of this.#teams) {
      divided.#teams.set(team, { calls: calls / instances, kept: kept / instances });
    }
    return divided;
  }

  #count(team: string, calls: number): void {
    const known = this.#teams.get(team) ?? { calls: 0, kept: 0 };
    known.calls += calls;
    this.#teams.set(team, known);
    this.#used += calls;
  }

  #kept(team: string, rest: number): number {
    const { part, cap } = this.partOf(team);
    const { calls, kept } = this.#teams.get(team) ?? { calls: 0, kept: 0 };
    return Math.max(0, Math.min(kept, part - calls, cap - calls, part * rest));
  }

  /** Calls that teams keep and that are not there. */
  #missing(rest: number): number {
    const kept = [...this.#teams.keys()].reduce((sum, team) => sum + Math.round(this.#kept(team, rest)), 0);
    return Math.max(0, kept - this.left);
  }

  /** What is missing through no team's fault is taken from all alike: probes, weights that have changed, a Redis that forgot. */
  #level(rest: number): void {
    if (this.#missing(rest) === 0) return;
    const all = [...this.#teams].map(([team, state]) => ({ state, kept: this.#kept(team, rest) }));
    const sum = all.reduce((total, { kept }) => total + kept, 0);
    for (const { state, kept } of all) state.kept = rounded((kept * this.left) / sum);
  }
}

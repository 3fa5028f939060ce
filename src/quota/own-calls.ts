/**
 * The calls of a day that this instance made, by team: in this start and in earlier ones, which Redis counts apart.
 */
import { type InstanceCalls, maxStarts, type StoredDay } from './stored-day.ts';

export class OwnCalls {
  readonly #instance: string | undefined;
  readonly #present = new Map<string, number>();
  readonly #before = new Map<string, readonly InstanceCalls[]>();

  /** @param instance name of this start in Redis; undefined for a single instance */
  constructor(instance: string | undefined) {
    this.#instance = instance;
  }

  add(team: string, calls: number): void {
    this.#present.set(team, this.of(team) + calls);
  }

  /** Returns the calls of this start. */
  of(team: string): number {
    return this.#present.get(team) ?? 0;
  }

  /** Returns the calls of earlier starts. */
  before(team: string): readonly InstanceCalls[] {
    return this.#before.get(team) ?? [];
  }

  /** Adopts stored calls: of earlier starts, or of this one from before its clock was set. */
  adopt(teams: StoredDay['teams']): void {
    const isPresent = ([instance]: InstanceCalls) => instance === this.#instance;
    for (const { team, own = [] } of teams) {
      this.add(team, own.find(isPresent)?.[1] ?? 0);
      const before = own.filter((calls) => !isPresent(calls));
      this.#before.set(team, before);
    }
  }

  /** Returns a team's calls to be stored; undefined for a single instance. */
  toStore(team: string): readonly InstanceCalls[] | undefined {
    if (this.#instance === undefined) return undefined;
    const calls = this.of(team);
    return calls > 0 ? [...this.before(team), [this.#instance, calls] as const].slice(-maxStarts) : this.before(team);
  }

  forget(): void {
    this.#present.clear();
    this.#before.clear();
  }
}

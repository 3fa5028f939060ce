/**
 * What is reported of a day, each once: percentages of it that are passed, teams that borrow, and teams that are refused.
 */
import type { DayShares } from './day-shares.ts';
import type { TeamLimit } from './day-status.ts';

const thresholds = [50, 80, 95, 100];

export class DayReports {
  #percent = 0;
  readonly #teams = new Set<string>();

  /** Returns the highest percentage that is passed and not reported yet: once, though calls are given back. */
  passed({ used }: DayShares, perDay: number): number | undefined {
    const percent = passedPercent(used, perDay);
    if (percent <= this.#percent) return undefined;
    this.#percent = percent;
    return percent;
  }

  /** Whether this is not reported yet of a team. */
  isNew(kind: 'borrows' | TeamLimit, team: string): boolean {
    const key = `${kind} ${team}`;
    if (this.#teams.has(key)) return false;
    this.#teams.add(key);
    return true;
  }

  /** Reports percentages anew that a change of `perDay` has taken back. */
  changed({ used }: DayShares, perDay: number): void {
    this.#percent = Math.min(this.#percent, passedPercent(used, perDay));
  }

  forget(): void {
    this.#percent = 0;
    this.#teams.clear();
  }
}

const passedPercent = (used: number, perDay: number) =>
  thresholds.findLast((percent) => used >= Math.ceil((perDay * percent) / 100)) ?? 0;

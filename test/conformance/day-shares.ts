/**
 * The promises of every implementation of day shares: what a team may spend follows from weights, spent calls, reserve and
 * time of day.
 */
import { describe, expect, test } from '@jest/globals';
import type { TeamCalls, TeamPart } from '../../src/quota/day-shares.ts';

export interface Step {
  readonly team: string;
  /** Rest of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
  readonly reserve: number;
}

/** An unspent day. */
export interface Day {
  /** Counts a call if allowed. Resolves with whether it was. */
  spend(step: Step): Promise<boolean>;
  /** All teams that have spent something or keep less than their part, by name. */
  teams(): readonly TeamCalls[];
}

export type NewDay = (perDay: number, parts: ReadonlyMap<string, TeamPart>) => Promise<Day>;

export const part = (calls: number, cap = Number.MAX_SAFE_INTEGER): TeamPart => ({ part: calls, cap, isWhole: true });

export function testDayShares(name: string, newDay: NewDay): void {
  describe(`the day's shares, ${name}`, () => {
    /** Spends until refused. Resolves with the number of calls. */
    async function drain(day: Day, team: string, rest: number, reserve = 0): Promise<number> {
      let made = 0;
      while (await day.spend({ team, rest, reserve })) made++;
      return made;
    }

    const halves = new Map([
      ['a', part(20)],
      ['b', part(20)],
    ]);

    test('leave a team its share, whatever others want', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      expect(await drain(day, 'b', 1)).toBe(20);
      expect(await drain(day, 'a', 1)).toBe(0);
    });

    test('lend what is unused, more as the day passes', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      expect(await drain(day, 'a', 0.5)).toBe(10);
      expect(await drain(day, 'a', 0)).toBe(10);
    });

    test('stop at the cap of a team, and keep the reserve', async () => {
      const day = await newDay(40, new Map([['a', part(20, 25)]]));
      expect(await drain(day, 'a', 0, 30)).toBe(10);
      expect(await drain(day, 'a', 0)).toBe(15);
      expect(await drain(day, '', 0)).toBe(15);
    });

    test('report what each team has spent and keeps', async () => {
      const day = await newDay(40, halves);
      await drain(day, 'a', 0.5);
      expect(day.teams().filter(({ calls }) => calls > 0)).toEqual([
        { team: 'a', calls: 30, kept: expect.any(Number) },
      ]);
    });
  });
}

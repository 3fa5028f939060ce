/**
 * What every implementation of the day's shares promises: a team may spend what weights, spent calls, reserve and time of day say.
 */
import { describe, expect, test } from '@jest/globals';
import type { TeamCalls, TeamPart } from '../../src/quota/day-shares.ts';

export interface Step {
  readonly team: string;
  /** What is left of the day: 1 at its start, 0 at its end. */
  readonly rest: number;
  readonly reserve: number;
}

/** A day on which nothing was spent yet. */
export interface Day {
  /** Counts a call if it is allowed. Resolves with whether it was. */
  spend(step: Step): Promise<boolean>;
  /** A call that was counted is not made. */
  giveBack(team: string): Promise<void>;
  /** The shares change during the day. */
  reshare(perDay: number, parts: ReadonlyMap<string, TeamPart>, rest: number): void;
  /** All teams that have spent something or keep less than their part, by name. */
  teams(): readonly TeamCalls[];
}

export type NewDay = (perDay: number, parts: ReadonlyMap<string, TeamPart>) => Promise<Day>;

export const part = (calls: number, cap = Number.MAX_SAFE_INTEGER): TeamPart => ({ part: calls, cap, isWhole: true });

export function testDayShares(name: string, newDay: NewDay): void {
  describe(`the day's shares, ${name}`, () => {
    /** Spends until it is refused. Resolves with the calls that were made. */
    async function drain(day: Day, team: string, rest: number, reserve = 0): Promise<number> {
      let made = 0;
      while (await day.spend({ team, rest, reserve })) made++;
      return made;
    }

    const halves = new Map([
      ['a', part(20)],
      ['b', part(20)],
    ]);

    test('leave a team its part, whatever others want', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      expect(await drain(day, 'b', 1)).toBe(20);
      expect(await drain(day, 'a', 1)).toBe(0);
    });

    test('lend what is not used, the more the later it is', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      expect(await drain(day, 'a', 0.5)).toBe(10);
      expect(await drain(day, 'a', 0)).toBe(10);
    });

    test('stop at the cap of a team, and leave the reserve', async () => {
      const day = await newDay(40, new Map([['a', part(20, 25)]]));
      expect(await drain(day, 'a', 0, 30)).toBe(10);
      expect(await drain(day, 'a', 0)).toBe(15);
      expect(await drain(day, '', 0)).toBe(15);
    });

    test('take calls that belong to no team from all teams alike', async () => {
      const day = await newDay(40, halves);
      for (let n = 0; n < 20; n++) await day.spend({ team: '', rest: 1, reserve: 0 });
      expect([await drain(day, 'a', 1), await drain(day, 'b', 1)]).toEqual([10, 10]);
    });

    test('have a team go on with its own part where nothing is free, and not with that of others', async () => {
      const day = await newDay(40, halves);
      for (let n = 0; n < 20; n++) await day.spend({ team: '', rest: 0.5, reserve: 0 });
      expect(await drain(day, 'a', 0.5)).toBe(10);
      expect(await drain(day, 'b', 0.5)).toBe(10);
    });

    test('keep for a team what it gives back', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      await day.giveBack('a');
      expect(await drain(day, 'b', 1)).toBe(20);
      expect(await drain(day, 'a', 1)).toBe(1);
    });

    test('give a team that is added its part of what is left, at the cost of all others', async () => {
      const day = await newDay(40, halves);
      expect(await drain(day, 'a', 1)).toBe(20);
      day.reshare(40, new Map([...halves, ['c', part(20)]]), 1);
      expect([await drain(day, 'c', 1), await drain(day, 'b', 1)]).toEqual([10, 10]);
    });

    test('have a team keep as large a part of another share as it kept of the former one', async () => {
      const day = await newDay(40, halves);
      await day.spend({ team: 'b', rest: 0.5, reserve: 0 });
      const unequal = new Map([
        ['a', part(10)],
        ['b', part(30)],
      ]);
      day.reshare(40, unequal, 0.5);
      expect(await drain(day, 'a', 0.5)).toBe(24); // 40, of which one is spent and b keeps half of 30
      expect(await drain(day, 'b', 0.5)).toBe(15);
    });

    test('keep the calls of a team that is removed, and lend its part', async () => {
      const day = await newDay(40, halves);
      for (let n = 0; n < 5; n++) await day.spend({ team: 'b', rest: 1, reserve: 0 });
      day.reshare(40, new Map([['a', part(40)]]), 1);
      expect(await drain(day, 'a', 1)).toBe(35);
    });

    test('serve a team that was removed while anything is left, and give it its part again when it comes back', async () => {
      const day = await newDay(40, halves);
      await day.spend({ team: 'b', rest: 1, reserve: 0 });
      day.reshare(40, new Map([['a', part(40)]]), 1);
      expect(await day.spend({ team: 'b', rest: 1, reserve: 0 })).toBe(true);
      day.reshare(40, halves, 1);
      expect([await drain(day, 'a', 1), await drain(day, 'b', 1)]).toEqual([20, 18]);
    });

    test('end the day where fewer calls are allowed than were made, and go on where more are', async () => {
      const day = await newDay(40, halves);
      for (let n = 0; n < 10; n++) await day.spend({ team: 'a', rest: 1, reserve: 0 });
      day.reshare(10, new Map([['a', part(10)]]), 1);
      expect(await drain(day, 'a', 1)).toBe(0);
      day.reshare(30, new Map([['a', part(30)]]), 1);
      expect(await drain(day, 'a', 1)).toBe(20);
    });

    test('say what each team has spent and keeps', async () => {
      const day = await newDay(40, halves);
      await drain(day, 'a', 0.5);
      expect(day.teams().filter(({ calls }) => calls > 0)).toEqual([
        { team: 'a', calls: 30, kept: expect.any(Number) },
      ]);
    });
  });
}

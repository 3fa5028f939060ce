/**
 * Dates of a report's rows at the start, by the number of newer rows. They are strictly newest first, and computed.
 */
import { scatter } from './scatter.ts';

export type Dates = (back: number) => number;

/** One row every `spacingMs`, on average: the gap varies up to twice that, and is never 0. */
export const evenDates =
  (newestMs: number, spacingMs: number): Dates =>
  (back) =>
    newestMs - back * spacingMs - (back === 0 ? 0 : scatter(back) % spacingMs);

/** How fast activity fades: half of the rows belong to the first twentieth of the time. */
const decay = 6;

/** Many rows soon after `startMs`, fewer and fewer until the newest. */
export function fadingDates(newestMs: number, startMs: number, size: number): Dates {
  const lengthMs = Math.max(0, newestMs - startMs);
  const ageOf = (back: number) =>
    Math.floor(lengthMs * (1 - Math.expm1((decay * (size - back)) / size) / Math.expm1(decay))) + back;
  return (back) => {
    if (back === 0) return newestMs;
    const age = ageOf(back);
    return newestMs - age - Math.floor((scatter(back) / 2 ** 32) * (ageOf(back + 1) - age));
  };
}

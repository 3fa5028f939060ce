/**
 * Who borrows calls of the day from whom, in words. What is borrowed comes from what all other teams leave unused; which of
 * them a single call came from is nowhere recorded.
 */
import type { Status } from '../../client/client.ts';
import { number } from './words.ts';

type TeamDay = Status['teams'][number];
const maxNamed = 3;

/** Calls of its share that others can borrow now. */
export const lendable = ({ part, calls, kept }: TeamDay, leftToday: number) =>
  Math.max(0, Math.min(part - calls - kept, leftToday));

const unused = ({ part, calls }: TeamDay) => Math.max(0, part - calls);

export function borrowingInWords({ teams, upstream }: Pick<Status, 'teams' | 'upstream'>): string {
  const sharing = teams.filter(({ part }) => part > 0);
  const borrowers = teams.filter(({ borrowed }) => borrowed > 0).sort((a, b) => b.borrowed - a.borrowed);
  const [only] = sharing;
  if (!only) return 'No team has a share of the day.';
  if (sharing.length === 1) return `Only ${only.team} has a share of the day, so no team borrows.`;
  if (borrowers.length === 0) return 'No team has borrowed calls today.';
  const who = listed(borrowers.map(({ team, borrowed }) => `${team} ${number(borrowed)}`));
  const lenders = sharing.filter((team) => !borrowers.includes(team)).sort((a, b) => unused(b) - unused(a));
  const shared = sharing.reduce((sum, { part }) => sum + part, 0);
  // Limits of teams can leave calls that belong to no team. Shares are rounded down.
  const isAllShared = upstream.callsToday + upstream.leftToday - shared <= sharing.length;
  const [lender] = lenders;
  if (isAllShared && lenders.length === 1 && lender) return `Borrowed today: ${who}, all from ${lender.team}.`;
  const left = lenders.filter((team) => unused(team) > 0).map((team) => `${team.team} ${number(unused(team))}`);
  const source = upstream.leftToday === 0 || left.length === 0 ? 'None is left.' : `Still unused: ${listed(left)}.`;
  return `Borrowed today: ${who}. Borrowed calls come from all unused shares together, not from one team. ${source}`;
}

/** `a, b, c and 4 more teams` */
function listed(names: readonly string[]): string {
  const rest = names.length - maxNamed;
  return rest > 0
    ? `${names.slice(0, maxNamed).join(', ')} and ${rest} more ${rest === 1 ? 'team' : 'teams'}`
    : names.join(', ');
}

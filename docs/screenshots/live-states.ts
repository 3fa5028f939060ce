/**
 * Answers of `/status` for the states of the live view.
 */
import type { Status } from '../../src/client/client.ts';

/** The time in these answers. */
export const liveNow = new Date('2026-01-31T14:12:08Z');
const perDay = 10_000;
const usualPace = { calls: 560, seconds: 1_800 };

interface Team {
  readonly team: string;
  readonly weight?: number;
  readonly calls: number;
  /** Pages served per call. */
  readonly pages?: number;
  readonly errors?: Partial<Status['errors'][string]>;
  readonly waiting?: number;
}

/** Builds the status of teams as Sendgate computes it, for `seconds` after that time. */
export function statusOf(teams: readonly Team[], upstream: Partial<Status['upstream']> = {}, seconds = 0): Status {
  const rest = 1 - (14.2 + seconds / 3_600) / 24;
  const weights = teams.reduce((sum, { weight = 1 }) => sum + weight, 0);
  // Busier and quieter by turns, the same at every run; the sum only grows.
  const { pace = usualPace, quota } = upstream;
  // Pages are served also while no call is made.
  const made = quota === 'exhausted' ? 0 : pace.calls / usualPace.calls;
  const grown = teams.map(({ pages = 12, ...team }, n) => {
    const wave = seconds + 15 * Math.sin(seconds / (16 + 5 * n));
    const asked = wave * (team.calls / 15_000);
    const fresh = Math.round((team.calls + asked) * (pages - 1));
    return { ...team, fresh, calls: team.calls + Math.floor(asked * made) };
  });
  const callsToday = grown.reduce((sum, { calls }) => sum + calls, 0);
  const leftToday = Math.max(0, perDay - callsToday);
  const days = grown.map(({ team, weight = 1, calls }) => {
    const part = Math.floor((perDay * weight) / weights);
    const kept = leftToday === 0 ? 0 : Math.round(Math.max(0, Math.min(part - calls, part * rest)));
    return { team, calls, part, borrowed: Math.max(0, calls - part), kept };
  });
  const kept = days.reduce((sum, day) => sum + day.kept, 0);
  return {
    upstream: {
      ...{ callsThisSecond: 1, perSecond: 4, callsToday, leftToday, dayEndsAt: '2026-02-01T00:00:00.000Z' },
      ...{ circuit: 'closed', credentials: 'ok', quota: 'ok', api: 'ok' },
      ...{ state: 'ok', since: '2026-01-30T08:00:00.000Z', pace: usualPace },
      ...upstream,
    },
    teams: days.map((day) => ({ ...day, available: Math.max(0, leftToday - (kept - day.kept)) })),
    queues: grown.flatMap(({ team, calls, waiting = 0 }, n) => [
      {
        ...{ team, urgency: 'interactive' as const, waiting, calls },
        ...{ waitP50: 0.02 * (n % 4), waitP95: 0.2 + 0.15 * (n % 5) + 0.1 * Math.sin(seconds / (30 + n)) },
      },
    ]),
    served: Object.fromEntries(grown.map(({ team, calls, fresh }) => [team, { fresh, stale: 4, miss: calls }])),
    errors: Object.fromEntries(
      grown.map(({ team, errors = {}, waiting = 0 }) => {
        const { rateLimited = 0, rejected = 0, failed = 0 } = errors;
        // A team in a hurry meets its limit.
        const refused = waiting > 20 ? Math.floor(seconds / 5) : 0;
        return [team, { rateLimited: rateLimited + refused, rejected, failed }];
      }),
    ),
  };
}

/** Which teams are there in the state, and what is the matter. */
interface LiveState {
  readonly teams: readonly Team[];
  readonly upstream?: Partial<Status['upstream']>;
}

const threeTeams: readonly Team[] = [
  { team: 'web', weight: 2, calls: 1_640, errors: { rateLimited: 3, rejected: 12 } },
  { team: 'bi', calls: 2_912, pages: 4, errors: { rejected: 2, failed: 1 }, waiting: 2 },
  { team: 'default', calls: 214, errors: { rejected: 31 } },
];

const tenTeams: readonly Team[] = [
  { team: 'web', weight: 3, calls: 1_020, errors: { rejected: 8 } },
  { team: 'bi', weight: 2, calls: 2_304, pages: 5, errors: { rateLimited: 118, failed: 4 }, waiting: 7 },
  { team: 'crm', calls: 311 },
  { team: 'data-science', calls: 1_187, pages: 3, errors: { rateLimited: 2_406 }, waiting: 31 },
  { team: 'finance', calls: 96 },
  { team: 'marketing', weight: 2, calls: 845, errors: { rejected: 3 } },
  { team: 'newsletter', calls: 402 },
  { team: 'partners', calls: 0 },
  { team: 'shop', calls: 578, errors: { failed: 12 } },
  { team: 'default', calls: 12, errors: { rejected: 240 } },
];

const longNames = tenTeams.map(({ team, ...rest }, n) => ({
  ...rest,
  team: team === 'default' ? team : `${team}-of-the-northern-region-and-more-${n}`.slice(0, 32),
}));

export const liveStates: Readonly<Record<string, LiveState>> = {
  full: { teams: threeTeams },
  down: {
    teams: threeTeams,
    upstream: {
      state: 'failing',
      circuit: 'open',
      since: '2026-01-31T10:42:19.000Z',
      pace: { calls: 12, seconds: 1_800 },
    },
  },
  spent: {
    teams: threeTeams.map((team) => (team.team === 'bi' ? { ...team, calls: 8_146 } : team)),
    upstream: { state: 'quota-exhausted', quota: 'exhausted', since: '2026-01-31T13:58:40.000Z' },
  },
  'soon-spent': { teams: threeTeams, upstream: { pace: { calls: 1_230, seconds: 1_800 } } },
  refused: {
    teams: threeTeams,
    upstream: {
      ...{ state: 'credentials-refused', credentials: 'refused', since: '2026-01-30T22:05:00.000Z' },
      pace: { calls: 0, seconds: 1_800 },
    },
  },
  withdrawn: {
    teams: threeTeams,
    upstream: { state: 'gone', api: 'gone', since: '2026-01-31T06:00:00.000Z', pace: { calls: 0, seconds: 1_800 } },
  },
  started: {
    teams: [{ team: 'default', calls: 0 }],
    upstream: { state: 'untested', pace: { calls: 0, seconds: 140 } },
  },
  empty: { teams: [], upstream: { pace: { calls: 0, seconds: 1_800 } } },
  'ten-teams': { teams: tenTeams },
  'long-names': { teams: longNames },
};

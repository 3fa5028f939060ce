/**
 * When the day's calls will be spent, in words that are no more precise than what is known.
 */
import type { Status } from '../../client/client.ts';
import { momentInWords } from './times.ts';
import { inWords, number } from './words.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** Shortest time that says something about the rest of the day. */
const shortestSeconds = 600;

/** To what a time is rounded down, by how far away it is. */
const roundings = [
  { withinMs: 2 * hourMs, toMs: 5 * minuteMs },
  { withinMs: 6 * hourMs, toMs: 15 * minuteMs },
  { withinMs: Number.POSITIVE_INFINITY, toMs: hourMs },
] as const;

type Day = Pick<Status['upstream'], 'callsToday' | 'leftToday' | 'dayEndsAt' | 'pace'>;

/** `At the rate of the last 30 minutes (960 calls an hour), the day is spent at about 16:20 local time.` */
export function forecast({ callsToday, leftToday, dayEndsAt, pace }: Day, nowMs: number): string {
  if (leftToday === 0) return `All calls of the day are spent. The quota resets at ${momentInWords(dayEndsAt, nowMs)}.`;
  if (pace.seconds < shortestSeconds) {
    const wait = inWords(Math.ceil((shortestSeconds - pace.seconds) / 60) * 60);
    return `Too early for a forecast: it needs ten minutes of calls since 00:00 UTC and since Sendgate started. Ready in ${wait}.`;
  }
  const rate = `At the rate of the last ${inWords(pace.seconds)} (${perHour(pace)})`;
  if (pace.calls === 0) return `${rate}, the day’s calls will last.`;
  const callsPerMs = pace.calls / pace.seconds / 1000;
  const endsAt = Date.parse(dayEndsAt);
  const spentAt = nowMs + leftToday / callsPerMs;
  if (spentAt >= endsAt) {
    const share = (callsToday + callsPerMs * (endsAt - nowMs)) / (callsToday + leftToday);
    return `${rate}, the day’s calls will last: about ${Math.round(100 * share)}% will be spent by ${momentInWords(dayEndsAt, nowMs)}.`;
  }
  return `${rate}, the day’s calls will be spent ${about(spentAt, nowMs)}.`;
}

function perHour({ calls, seconds }: Day['pace']): string {
  if (calls === 0) return 'no calls';
  const rate = (calls / seconds) * 3_600;
  return rate < 1 ? 'less than a call an hour' : `${number(Number(rate.toPrecision(2)))} calls an hour`;
}

function about(spentAtMs: number, nowMs: number): string {
  const aheadMs = spentAtMs - nowMs;
  if (aheadMs < 10 * minuteMs) return 'within ten minutes';
  const { toMs } = roundings.find(({ withinMs }) => aheadMs < withinMs) ?? { toMs: hourMs };
  return `at about ${momentInWords(new Date(Math.floor(spentAtMs / toMs) * toMs).toISOString(), nowMs)}`;
}

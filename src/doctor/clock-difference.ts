/**
 * Compares this machine's clock with the `Date` of an answer (RFC 9110 §6.6.1).
 */
import type { AnswerTime } from '../upstream/answer-time.ts';
import type { CheckResult } from './check-result.ts';

/** Difference from which the clock is worth a warning, and from which it has failed. */
const warnMs = 30_000;
const failMs = 300_000;
/** `Date` has whole seconds. */
const resolutionMs = 1_000;

export function judgeClock({ date, atMs, uncertainMs }: AnswerTime): CheckResult {
  const about = { kind: 'clock', check: 'clock' } as const;
  const theirs = Date.parse(date ?? '');
  if (Number.isNaN(theirs)) return { ...about, state: 'note', found: 'not tested: the answer has no Date' };
  const aheadMs = atMs - theirs;
  const offMs = Math.max(0, Math.abs(aheadMs) - uncertainMs - resolutionMs);
  if (offMs < warnMs) return { ...about, state: 'ok', found: "agrees with Constant Contact's" };
  return {
    ...about,
    state: offMs < failMs ? 'warning' : 'failed',
    found: `${inWords(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} Constant Contact's`,
    remedy: 'synchronise it (NTP): the end of the day, the life of tokens and the age of pages depend on it',
  };
}

/** A duration in its largest sensible unit: seconds, as long as the minutes would hide on which side of `failMs` it is. */
export function inWords(ms: number): string {
  const units = [
    ['days', 86_400_000, 2],
    ['hours', 3_600_000, 2],
    ['minutes', 60_000, 10],
  ] as const;
  const [name, unit] = units.find(([, size, least]) => ms >= least * size) ?? ['seconds', 1_000];
  return `${Math.round(ms / unit)} ${name}`;
}

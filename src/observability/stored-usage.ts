/**
 * Usage by team: what `GET /usage` answers, and what survives a restart of it.
 */
import { z } from 'zod';
import type { Part } from '../storage/state-file.ts';

const count = z.int().nonnegative();

const reportUsage = z.object({
  /** The resource that was asked for, `ids`, `probe`, or `(none)` for requests refused before it was known. */
  report: z.string().regex(/^[\w-]{1,32}$|^\(none\)$/),
  /** Calls to Constant Contact that this instance made, those without a connection too. */
  calls: count,
  /** Requests answered with what was asked for, 304 included. */
  answered: count,
  /** Those that waited for no call. No exports, which are many pages each. */
  hits: count,
  /** Requests refused by a guard, a limit, the queue or the quota: 401, 403, 421, 429 and 503. */
  refused: count,
  /** All other errors, and callers who disconnected. */
  failed: count,
});
export type ReportUsage = z.output<typeof reportUsage>;

const teamUsage = z.object({
  /** `(account)` for calls of no team. */
  team: z.string().regex(/^[\w-]{1,64}$|^\(account\)$/),
  /** Calls to Constant Contact, of all instances as far as this one knows. */
  calls: count,
  /** Calls of the day that are guaranteed to it. */
  part: count,
  /** Its `callsPerDay`; null without one. */
  cap: count.nullable(),
  reports: z.array(reportUsage).max(100),
});

const dayUsage = z.object({
  /** UTC date, such as 2026-01-31. */
  day: z.iso.date(),
  perDay: count,
  teams: z.array(teamUsage).max(1_000),
});
export type DayUsage = z.output<typeof dayUsage>;

/**
 * Today and yesterday, as they were kept. Members that a later version adds are ignored. What is unreadable is no usage, and no error:
 * its log line would say that the day's count is lost.
 */
export const usagePart: Part<readonly DayUsage[]> = {
  members: ['usage'],
  parse: ({ usage }) => z.array(dayUsage).max(2).catch([]).parse(usage),
  serialise: (usage) => ({ usage }),
};

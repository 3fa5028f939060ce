/**
 * What a campaign's id means in v3: pairs shared between instances and stored across restarts.
 */
import { z } from 'zod';

/** An id, and the id of the activity that it means. */
export type MeantActivity = readonly [asked: string, activity: string];

/** Most pairs stored across restarts: the most recently used. */
export const maxKeptIds = 5_000;

/** Canonical, like callers' ids: no leading zeros, hex digits in lower case. */
const meantActivity = z.tuple([
  z.string().regex(/^(\d|[1-9]\d{1,19}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/),
  z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
]);

/** Whether untrusted input is a valid pair. */
export const isMeantActivity = (pair: unknown): pair is MeantActivity => meantActivity.safeParse(pair).success;

/**
 * What an id of a campaign means in v3: a pair that is shared between instances and kept over a restart.
 */
import { z } from 'zod';

/** An id, and that of the activity which it means. */
export type MeantActivity = readonly [asked: string, activity: string];

/** Pairs that are kept over a restart: the last used. */
export const maxKeptIds = 5_000;

/** Canonical, as callers' ids are: no zeros in front, hex digits in lower case. */
const meantActivity = z.tuple([
  z.string().regex(/^(\d|[1-9]\d{1,19}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/),
  z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
]);

/** Whether what comes from elsewhere is an id and that of an activity. */
export const isMeantActivity = (pair: unknown): pair is MeantActivity => meantActivity.safeParse(pair).success;

/**
 * Stores meanings of ids across restarts: a part of the state file.
 */
import { isMeantActivity, type MeantActivity, maxKeptIds } from '../model/meant-activity.ts';
import type { Part } from '../storage/state-file.ts';

/** @param onDropped called with the number of stored ids that are invalid or exceed the bound */
export const idsPart = (onDropped: (count: number) => void): Part<readonly MeantActivity[]> => ({
  members: ['ids'],
  parse: ({ ids }) => {
    const all: readonly unknown[] = Array.isArray(ids) ? ids : [ids];
    const valid = all.slice(0, maxKeptIds).filter(isMeantActivity);
    if (valid.length < all.length) onDropped(all.length - valid.length);
    return valid;
  },
  serialise: (ids) => (ids.length === 0 ? {} : { ids }),
});

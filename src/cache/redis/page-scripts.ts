/**
 * What the instances do with their pages in Redis, each in one step.
 */
import { loadScript } from '../../redis/scripts.ts';

/** The wall clocks of two instances may differ by this: what was fetched further ahead is stale. */
export const maxAheadMs = 5_000;

export const confirm = loadScript(import.meta.url, 'lua/confirm-3.lua');
export const look = loadScript(import.meta.url, 'lua/look-3.lua');
export const store = loadScript(import.meta.url, 'lua/store-3.lua');
export const refuse = loadScript(import.meta.url, 'lua/refuse-3.lua');
export const release = loadScript(import.meta.url, 'lua/release-3.lua');
export const purge = loadScript(import.meta.url, 'lua/purge-3.lua');

/**
 * The Lua scripts for pages in Redis. Each runs as one step.
 */
import { loadScript } from '../../redis/scripts.ts';

export const confirm = loadScript(import.meta.url, 'lua/confirm-3.lua');
export const look = loadScript(import.meta.url, 'lua/look-3.lua');
export const store = loadScript(import.meta.url, 'lua/store-3.lua');
export const refuse = loadScript(import.meta.url, 'lua/refuse-3.lua');
export const release = loadScript(import.meta.url, 'lua/release-3.lua');
export const purge = loadScript(import.meta.url, 'lua/purge-3.lua');

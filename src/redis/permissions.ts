/**
 * Tests every command of Sendgate's scripts against Redis' access control before Redis is used: when a script is denied a
 * command halfway, the error does not name it.
 */
import { aCommand, deniedBy, type Failure } from './failures.ts';
import { loadScript, type Reply } from './scripts.ts';

/** Every command used by scripts and by a purge, with arguments for a trial on an unused key. */
export const scriptCommands: Readonly<Record<string, readonly string[]>> = {
  DEL: ['key'],
  GET: ['key'],
  HDEL: ['key', 'x'],
  HGET: ['key', 'x'],
  HGETALL: ['key'],
  HINCRBY: ['key', 'x', '1'],
  HLEN: ['key'],
  HMGET: ['key', 'x'],
  HSET: ['key', 'x', '1'],
  HSETNX: ['key', 'x', '1'],
  INCRBY: ['key', '1'],
  PEXPIRE: ['key', '1'],
  PTTL: ['key'],
  PUBLISH: ['channel', '["permitted"]'],
  SCAN: ['0', 'COUNT', '1'],
  SET: ['key', '1'],
  TIME: [],
  ZADD: ['key', '1', 'x'],
  ZCARD: ['key'],
  ZRANGE: ['key', '0', '0'],
  ZREM: ['key', 'x'],
  ZREMRANGEBYSCORE: ['key', '0', '0'],
  ZSCORE: ['key', 'x'],
};

/** Commands sent outside scripts. */
export const plainCommands = ['EVAL', 'EVALSHA', 'PUBLISH', 'SCAN', 'SUBSCRIBE'] as const;

export const permitted = loadScript(import.meta.url, 'lua/permitted-1.lua');

/** Returns what the script found denied, if anything. */
export function deniedIn(reply: readonly Reply[]): Failure | undefined {
  const [name, error] = reply.map(String);
  if (name === undefined || error === undefined || !Object.hasOwn(scriptCommands, name)) return undefined;
  const denied = deniedBy(error);
  return { reason: 'no-permission', denied: denied === aCommand ? `the command ${name.toLowerCase()}` : denied };
}

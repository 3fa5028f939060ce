/**
 * Tests every command of Sendgate's scripts against Redis' access control before Redis is used: when a script is denied a
 * command halfway, the error does not name it.
 */
import { deniedBy, type Failure } from './failures.ts';
import { loadScript, type Reply } from './scripts.ts';

/** Every command used by scripts and by a purge, with arguments for a trial on an unused key. */
export const scriptCommands: Readonly<Record<string, readonly string[]>> = {
  DEL: ['key'],
  GET: ['key'],
  HDEL: ['key', 'x'],
  HGET: ['key', 'x'],
  HGETALL: ['key'],
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
  const texts = reply.map(String);
  const commands: string[] = [];
  const others = new Set<string>();
  for (const [at, name] of texts.entries()) {
    if (at % 2 === 1 || !Object.hasOwn(scriptCommands, name)) continue;
    const denied = deniedBy(texts[at + 1] ?? '');
    if (denied === 'a key' || denied === 'a channel') others.add(denied);
    else commands.push(name.toLowerCase());
  }
  if (commands.length + others.size === 0) return undefined;
  return { reason: 'no-permission', denied: [...named(commands.sort()), ...others].join(', ') };
}

function named(commands: readonly string[]): readonly string[] {
  if (commands.length < 2) return commands.map((name) => `the command ${name}`);
  return [`the commands ${commands.slice(0, -1).join(', ')} and ${commands.at(-1)}`];
}

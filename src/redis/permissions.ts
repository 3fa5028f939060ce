/**
 * Tries every command of Sendgate's scripts against Redis' access control, before Redis is relied on: a script that is refused in
 * its middle does not name the command.
 */
import type { Script } from './redis.ts';

/** Every command that scripts use, and that of a purge, with what it is tried with on a key that is nobody's. */
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

/** Commands that are sent by themselves. */
export const plainCommands = ['EVAL', 'EVALSHA', 'PUBLISH', 'SCAN', 'SUBSCRIBE'] as const;

/**
 * Keys: one that is nobody's. ARGV: channel, the commands as JSON. Returns what is denied first and the error, or nothing.
 * Other errors are no matter: that a value has another type, or that Redis is full, which is found out without this.
 */
export const permitted: Script = {
  name: 'sendgatePermitted',
  keys: 1,
  lua: `
    local places = {key = KEYS[1], channel = ARGV[1]}
    for name, given in pairs(cjson.decode(ARGV[2])) do
      local values = {}
      for n, value in ipairs(given) do values[n] = places[value] or value end
      local reply = redis.pcall(name, unpack(values))
      local err = type(reply) == 'table' and reply.err
      if err and (string.find(err, 'NOPERM', 1, true) or string.find(err, 'ACL failure', 1, true)
        or string.find(err, 'The user executing the script', 1, true)) then
        return {name, err}
      end
    end
    redis.pcall('DEL', KEYS[1])
    return {}`,
};

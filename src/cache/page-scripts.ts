/**
 * What the instances do with their pages in Redis, each in one step.
 */
import type { Script } from '../redis/redis.ts';

/** The wall clocks of two instances may differ by this: what was fetched further ahead is stale. */
export const maxAheadMs = 5_000;

/**
 * Shared by the scripts: keys are the page, its lock, its walk; the last argument is the highest generation that there can
 * be. What is not ours in a key is nothing: a value of another type, a generation that is none or far ahead of the clock.
 */
const prelude = `
  local highest = tonumber(ARGV[#ARGV])
  local function field(key, name)
    local value = redis.pcall('HGET', key, name)
    if type(value) == 'table' and value.err then
      if not string.find(value.err, 'WRONGTYPE', 1, true) then error(value.err) end
      redis.call('DEL', key)
      return false
    end
    return value
  end
  local generation = field(KEYS[3], 'g')
  if generation then
    local number = tonumber(generation)
    if not (number and number > 0 and number <= highest) then redis.call('DEL', KEYS[3]) generation = false end
  end
  local function tell(...) redis.call('PUBLISH', ARGV[1], cjson.encode({...})) end
  local function begin(new, newest, life)
    generation = new
    redis.call('DEL', KEYS[3])
    redis.call('HSET', KEYS[3], 'g', new)
    if newest ~= '' then redis.call('HSET', KEYS[3], 'n', newest) end
    redis.call('PEXPIRE', KEYS[3], life)
    tell('walk', KEYS[3], new)
  end
  local function holds(token)
    local holder = redis.pcall('GET', KEYS[2])
    return type(holder) == 'string' and string.match(holder, '^(%S+) ') == token
  end
  local function unlock(token)
    if holds(token) then redis.call('DEL', KEYS[2]) end
  end
`;

/** ARGV: channel, own generation, its newest, head field, its tag, walk's life. Returns the present generation. */
const confirmLua = `
  if tonumber(ARGV[2]) > tonumber(generation or '0') then
    begin(ARGV[2], ARGV[3], ARGV[6])
    if ARGV[4] ~= '' and ARGV[5] ~= '' then redis.call('HSET', KEYS[3], ARGV[4], ARGV[5]) end
  end
  generation = generation or '0'
`;

export const confirm: Script = {
  name: 'sendgateConfirm',
  keys: 3,
  lua: `${prelude}${confirmLua} return generation`,
};

/**
 * ARGV further: now, not before, may be stale, token, lock's life, rank of the urgency, team, bytes of the longest record, longest
 * life of a page, of a refusal. */
export const look: Script = {
  name: 'sendgateLook',
  keys: 3,
  lua: `${prelude}${confirmLua}
    local page = redis.pcall('HMGET', KEYS[1], 'g', 'f', 'u', 'r', 'x')
    if page.err then redis.call('DEL', KEYS[1]) page = {} end
    for i = 1, 5 do
      page[i] = page[i] or ''
      if #page[i] > tonumber(ARGV[14]) then redis.call('DEL', KEYS[1]) page = {'', '', '', '', ''} end
    end
    local fetched, till = tonumber(page[2]), tonumber(page[3])
    if fetched and till then till = math.min(till, fetched + (page[5] == '' and ARGV[15] or ARGV[16])) end
    if fetched and till and page[1] == generation and fetched >= tonumber(ARGV[8])
        and fetched <= tonumber(ARGV[7]) + ${maxAheadMs} and (till > tonumber(ARGV[7]) or (ARGV[9] == '1' and page[4] ~= '')) then
      return {'page', generation, page[1], page[2], page[3], page[4], page[5], 0}
    end
    if redis.call('SET', KEYS[2], ARGV[10] .. ' ' .. ARGV[12], 'NX', 'PX', ARGV[11]) then
      return {'turn', generation, page[1], page[2], page[3], page[4], page[5], 0}
    end
    local lock, life = redis.pcall('GET', KEYS[2]), redis.call('PTTL', KEYS[2])
    local holder, rank = string.match(type(lock) == 'string' and lock or '', '^(%S+) (%d)$')
    if not rank or life < 0 or life > tonumber(ARGV[11]) then redis.call('DEL', KEYS[2]) life = 0 end
    if rank and tonumber(ARGV[12]) < tonumber(rank) then
      redis.call('SET', KEYS[2], holder .. ' ' .. ARGV[12], 'XX', 'KEEPTTL')
      tell('raise', KEYS[1], ARGV[13], ARGV[12])
    end
    return {'wait', generation, '', '', '', '', '', life}`,
};

/**
 * ARGV: channel, token, head field, tag, first, asked in, differs, generation of the same head, a new one, fetched,
 * until, page's life, walk's life, record. Returns the generation of the walk, and that of the page.
 */
export const store: Script = {
  name: 'sendgateStore',
  keys: 3,
  lua: `${prelude}
    local belongs = ARGV[6]
    if ARGV[3] ~= '' then
      if not generation and ARGV[8] ~= '0' then
        begin(ARGV[8], ARGV[5], ARGV[13])
      else
        local tag = field(KEYS[3], ARGV[3])
        local known = tonumber(generation or '0')
        if not generation or known < tonumber(ARGV[8]) or field(KEYS[3], 'n') ~= ARGV[5] or (tag and tag ~= ARGV[4]) then
          begin(string.format('%.0f', math.max(tonumber(ARGV[9]), known + 1)), ARGV[5], ARGV[13])
        end
      end
      redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
      redis.call('PEXPIRE', KEYS[3], ARGV[13])
      belongs = generation
    elseif ARGV[7] == '1' and (generation or '0') == belongs then
      begin(string.format('%.0f', math.max(tonumber(ARGV[9]), tonumber(belongs) + 1)), '', ARGV[13])
    end
    if belongs == (generation or '0') then
      redis.call('DEL', KEYS[1])
      redis.call('HSET', KEYS[1], 'g', belongs, 'f', ARGV[10], 'u', ARGV[11], 'r', ARGV[14])
      redis.call('PEXPIRE', KEYS[1], ARGV[12])
    end
    unlock(ARGV[2])
    tell('page', KEYS[1], '')
    return {generation or '0', belongs}`,
};

/** ARGV: channel, token, code, now, until, life. */
export const refuse: Script = {
  name: 'sendgateRefuse',
  keys: 3,
  lua: `${prelude}
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'g', generation or '0', 'f', ARGV[4], 'u', ARGV[5], 'x', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
    unlock(ARGV[2])
    tell('page', KEYS[1], '')
    return 1`,
};

/** ARGV: channel, token, the problem. */
export const release: Script = {
  name: 'sendgateRelease',
  keys: 3,
  lua: `${prelude} unlock(ARGV[2]) tell('page', KEYS[1], ARGV[3]) return 1`,
};

/** ARGV: channel, token, life. */
export const renew: Script = {
  name: 'sendgateRenew',
  keys: 3,
  lua: `${prelude} return holds(ARGV[2]) and redis.call('PEXPIRE', KEYS[2], ARGV[3]) or 0`,
};

/** ARGV: channel, a new generation, walk's life. The key is the page's, its lock's or the walk's own. */
export const purge: Script = {
  name: 'sendgatePurge',
  keys: 3,
  lua: `${prelude}
    redis.call('DEL', KEYS[1])
    if KEYS[1] == KEYS[3] then
      begin(string.format('%.0f', math.max(tonumber(ARGV[2]), tonumber(generation or '0') + 1)), '', ARGV[3])
    end
    return 1`,
};

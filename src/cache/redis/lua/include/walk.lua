--[[
  Reads a page's walk and its generation. Treats foreign values as absent: another type, or a generation that is not a
  number or is far ahead of the clock.

  Arguments of every script that includes this:
    KEYS[1] the page
    KEYS[2] its lock
    KEYS[3] its walk
    ARGV[1] message channel
    ARGV[last] the highest plausible generation
]]
local pageKey, lockKey, walkKey = KEYS[1], KEYS[2], KEYS[3]
local channel, highest = ARGV[1], tonumber(ARGV[#ARGV])

local function field(key, name)
  local value = redis.pcall('HGET', key, name)
  if type(value) == 'table' and value.err then
    if not string.find(value.err, 'WRONGTYPE', 1, true) then error(value.err) end
    redis.call('DEL', key)
    return false
  end
  return value
end

local generation = field(walkKey, 'g')
if generation then
  local number = tonumber(generation)
  if not (number and number > 0 and number <= highest) then
    redis.call('DEL', walkKey)
    generation = false
  end
end

local function publish(...) redis.call('PUBLISH', channel, cjson.encode({...})) end

local function begin(new, newest, lifeMs)
  generation = new
  redis.call('DEL', walkKey)
  redis.call('HSET', walkKey, 'g', new)
  if newest ~= '' then redis.call('HSET', walkKey, 'n', newest) end
  redis.call('PEXPIRE', walkKey, lifeMs)
  publish('walk', walkKey, new)
end

-- A generation above `present`, even if this instance's clock is behind.
local function nextGeneration(new, present) return string.format('%.0f', math.max(tonumber(new), present + 1)) end

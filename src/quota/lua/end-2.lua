--[[
  A call has ended: its slot is free sooner than was assumed, and a message wakes who waits.

  Input:
    KEYS[1] slots: the calls that count, by the time until which they do
    KEYS[2] waiting: what waits on each instance
    ARGV[1] channel of the messages
    ARGV[2] name of the call
    ARGV[3] milliseconds for which it still counts
  Output:
    1
]]
local slotsKey, waitingKey, channel, call, freeInMs = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3]

local time = redis.call('TIME')
local freeAt = time[1] * 1000 + math.floor(time[2] / 1000) + freeInMs
local held = redis.call('ZSCORE', slotsKey, call)
if held and tonumber(held) > freeAt then
  redis.call('ZADD', slotsKey, 'XX', freeAt, call)
  if redis.call('HLEN', waitingKey) > 0 then redis.call('PUBLISH', channel, cjson.encode({'place', freeInMs})) end
end
return 1

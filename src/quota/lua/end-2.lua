--[[
  Ends a call: frees its slot sooner than assumed, and wakes instances that wait.

  Input:
    KEYS[1] slots: calls by the time until which they count
    KEYS[2] waiting: each instance's queue
    ARGV[1] message channel
    ARGV[2] name of the call
    ARGV[3] milliseconds that it still counts
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

--[[
  Announces that an instance is alive, and returns the instances that are.

  Input:
    KEYS[1] the instances: a sorted set by time of the last beat
    ARGV[1] this instance
    ARGV[2] milliseconds after which an instance without a beat is gone
    ARGV[3] message channel
  Output:
    the instances that are alive
]]
local instancesKey, me, goneMs, channel = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local lifeMs = 60000
-- Counts no more, since a standalone instance divides the quota by this number.
local maxInstances = 100

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', instancesKey, now, me)
redis.call('ZREMRANGEBYSCORE', instancesKey, '-inf', now - goneMs)
redis.call('PEXPIRE', instancesKey, lifeMs)
redis.call('PUBLISH', channel, '["beat"]')
return redis.call('ZRANGE', instancesKey, 0, maxInstances - 1)

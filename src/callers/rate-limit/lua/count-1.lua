--[[
  Adds to the requests of one client in its window, which is one for all instances: it begins with the first of them.

  Input:
    KEYS[1] the count
    ARGV[1] requests to add
    ARGV[2] milliseconds until the window ends, if it begins with these
    ARGV[3] a window in milliseconds
  Output:
    requests in the window, and the milliseconds until it ends
]]
local countKey, added, leftMs, windowMs = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local total = redis.pcall('INCRBY', countKey, added)
if type(total) ~= 'number' then
  redis.call('SET', countKey, added)
  total = tonumber(added)
end
local left = redis.call('PTTL', countKey)
-- No count lives for longer than its window: that one is none of ours.
if left > windowMs then
  redis.call('SET', countKey, added)
  total, left = tonumber(added), -1
end
if left < 0 then redis.call('PEXPIRE', countKey, leftMs) end
return {total, redis.call('PTTL', countKey)}

--[[
  Adds to the requests of one client in its window, which all instances share. It begins with the first request.

  Input:
    KEYS[1] the count
    ARGV[1] requests to add
    ARGV[2] milliseconds until the window ends, if it begins with these requests
    ARGV[3] length of a window in milliseconds
  Output:
    requests in the window, and milliseconds until it ends
]]
local countKey, added, leftMs, windowMs = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

local total = redis.pcall('INCRBY', countKey, added)
if type(total) ~= 'number' then
  redis.call('SET', countKey, added)
  total = tonumber(added)
end
local left = redis.call('PTTL', countKey)
-- A count that outlives its window is not Sendgate's: overwrite it.
if left > windowMs then
  redis.call('SET', countKey, added)
  total, left = tonumber(added), -1
end
if left < 0 then redis.call('PEXPIRE', countKey, leftMs) end
return {total, redis.call('PTTL', countKey)}

--[[
  Reports an instance's calls that Redis may have missed while it was down.

  Input:
    KEYS[1] … KEYS[6] slots, state, tags, waiting, calls, reported (include/day)
    ARGV[1] … ARGV[6] channel, instance, report of the day, shares, calls per day, highest count (include/day)
    ARGV[7] 1 if calls were made that Redis has not seen
    ARGV[8] … call names and the milliseconds that they still count, alternating
  Output:
    the day's calls by team, as JSON
]]
local hasUnseen = ARGV[7] == '1'

-- @include "include/day"
for i = 8, #ARGV, 2 do redis.call('ZADD', slotsKey, now + ARGV[i + 1], ARGV[i]) end
if hasUnseen then
  redis.call('HSET', stateKey, 'since', now)
else
  redis.call('HSETNX', stateKey, 'since', now)
end
keepTurns()
return saveDay()

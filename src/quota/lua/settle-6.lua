--[[
  Redis is back: an instance reports the calls of which it may not know.

  Input:
    KEYS[1] … KEYS[6] slots, state, tags, waiting, calls, reported (include/day)
    ARGV[1] … ARGV[6] channel, instance, report of the day, parts, calls of a day, highest count (include/day)
    ARGV[7] 1 when calls were made that Redis has not seen
    ARGV[8] … names of calls and the milliseconds for which they still count, alternating
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

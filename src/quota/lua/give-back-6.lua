--[[
  Returns an unused permit: no call was made.

  Input:
    KEYS[1] … KEYS[6] slots, state, tags, waiting, calls, reported (include/day)
    ARGV[1] … ARGV[6] channel, instance, report of the day, shares, calls per day, highest count (include/day)
    ARGV[7] name of the call
    ARGV[8] its team
  Output:
    1
]]
local call, payingTeam = ARGV[7], ARGV[8]

-- @include "include/day"
if redis.call('ZREM', slotsKey, call) == 1 then
  count(payingTeam, -1)
  saveDay()
  publish('place', 0)
end
return 1

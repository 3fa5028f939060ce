--[[
  One step of the suite of the day's shares: counts a call of a team, if it may make one, or one that is given back.

  Input:
    KEYS[1] … KEYS[6], ARGV[1] … ARGV[6] (include/day)
    ARGV[7] the team
    ARGV[8] calls that it must leave to more urgent ones
    ARGV[9] 1, or -1 for a call that is given back
  Output:
    1 when it was counted, else 0
    the day's calls by team, as JSON
]]
local name, reserve, calls = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])

-- @include "../../../src/quota/lua/include/day"
local isAllowed = calls < 0 or allows(name, reserve)
if isAllowed then count(name, calls) end
return {isAllowed and 1 or 0, saveDay()}

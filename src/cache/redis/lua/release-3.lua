--[[
  Releases the lock of a page whose call brought nothing, and notifies the instances that wait.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] lock token
    ARGV[3] the problem as JSON, or empty
    ARGV[4] the highest plausible generation
  Output:
    1
]]
local token, problem = ARGV[2], ARGV[3]

-- @include "include/walk"
-- @include "../../../redis/lua/include/lock"
releaseLock(lockKey, token)
publish('page', pageKey, problem)
return 1

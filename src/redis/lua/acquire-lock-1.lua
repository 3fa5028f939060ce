--[[
  Takes a lock, unless somebody holds it.

  Input:
    KEYS[1] the lock
    ARGV[1] token of the one who asks
    ARGV[2] its life in milliseconds
  Output:
    1 when it was taken, else 0
]]
local lockKey, token, lifeMs = KEYS[1], ARGV[1], ARGV[2]

-- @include "include/lock"
return acquireLock(lockKey, token, '', lifeMs) and 1 or 0

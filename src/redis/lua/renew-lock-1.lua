--[[
  Gives a lock its whole life again, if the token holds it.

  Input:
    KEYS[1] the lock
    ARGV[1] token
    ARGV[2] its life in milliseconds
  Output:
    1 when it was renewed, else 0
]]
local lockKey, token, lifeMs = KEYS[1], ARGV[1], ARGV[2]

-- @include "include/lock"
return renewLock(lockKey, token, lifeMs)

--[[
  Renews a lock for its full lifetime, if the token holds it.

  Input:
    KEYS[1] the lock
    ARGV[1] token
    ARGV[2] lifetime in milliseconds
  Output:
    1 if it was renewed, else 0
]]
local lockKey, token, lifeMs = KEYS[1], ARGV[1], ARGV[2]

-- @include "include/lock"
return renewLock(lockKey, token, lifeMs)

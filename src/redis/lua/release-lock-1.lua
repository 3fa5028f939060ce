--[[
  Releases a lock, if the token holds it.

  Input:
    KEYS[1] the lock
    ARGV[1] token
  Output:
    1 if it was released, else 0
]]
local lockKey, token = KEYS[1], ARGV[1]

-- @include "include/lock"
return releaseLock(lockKey, token)

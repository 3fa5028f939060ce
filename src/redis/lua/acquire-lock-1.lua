--[[
  Acquires a lock unless another token holds it.

  Input:
    KEYS[1] the lock
    ARGV[1] token of the new holder
    ARGV[2] lifetime in milliseconds
  Output:
    1 if it was acquired, else 0
]]
local lockKey, token, lifeMs = KEYS[1], ARGV[1], ARGV[2]

-- @include "include/lock"
return acquireLock(lockKey, token, '', lifeMs) and 1 or 0

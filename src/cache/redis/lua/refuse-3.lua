--[[
  Stores a refusal in place of a page, and releases the lock.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] lock token
    ARGV[3] refusal code
    ARGV[4] ARGV[5] now, and until when it is remembered, wall time in milliseconds
    ARGV[6] milliseconds that it is kept
    ARGV[7] the highest plausible generation
  Output:
    1
]]
local token, code, now, till, lifeMs = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- @include "include/walk"
-- @include "../../../redis/lua/include/lock"
redis.call('DEL', pageKey)
redis.call('HSET', pageKey, 'g', generation or '0', 'f', now, 'u', till, 'x', code)
redis.call('PEXPIRE', pageKey, lifeMs)
releaseLock(lockKey, token)
publish('page', pageKey, '')
return 1

--[[
  Removes an instance that stops; the others share the quota without it.

  Input:
    KEYS[1] the instances
    ARGV[1] this instance
  Output:
    1 if it was among them, else 0
]]
local instancesKey, me = KEYS[1], ARGV[1]

return redis.call('ZREM', instancesKey, me)

--[[
  Deletes one key of a walk: a page, a lock, or the walk itself, which then starts a new generation.

  Input:
    KEYS[1] the key
    KEYS[2] its lock, if it is a page
    KEYS[3] its walk
    ARGV[1] channel
    ARGV[2] a new generation
    ARGV[3] milliseconds that the walk is kept
    ARGV[4] the highest plausible generation
  Output:
    1
]]
local newGeneration, walkLifeMs = ARGV[2], ARGV[3]

-- @include "include/walk"
redis.call('DEL', pageKey)
if pageKey == walkKey then begin(nextGeneration(newGeneration, tonumber(generation or '0')), '', walkLifeMs) end
return 1

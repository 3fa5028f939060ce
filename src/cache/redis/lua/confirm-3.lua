--[[
  Returns the current generation of a walk.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] … ARGV[6] what the instance knows of the walk (include/confirm)
    ARGV[7] the highest plausible generation
  Output:
    the generation
]]
-- @include "include/walk"
-- @include "include/confirm"
return generation

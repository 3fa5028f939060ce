--[[
  Adopts an instance's generation of a walk if it is higher. `generation` is the current one afterwards.

  Arguments of every script that includes this:
    ARGV[2] the instance's generation of the walk
    ARGV[3] digest of the newest row
    ARGV[4] hash field of the first page's limit, or empty
    ARGV[5] digest of that page's ETag, or empty
    ARGV[6] milliseconds that a walk is kept
]]
local known = {generation = ARGV[2], newest = ARGV[3], first = ARGV[4], tag = ARGV[5], lifeMs = ARGV[6]}

if tonumber(known.generation) > tonumber(generation or '0') then
  begin(known.generation, known.newest, known.lifeMs)
  if known.first ~= '' and known.tag ~= '' then redis.call('HSET', walkKey, known.first, known.tag) end
end
generation = generation or '0'

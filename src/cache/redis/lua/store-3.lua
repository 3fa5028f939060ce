--[[
  Stores a fetched page, unless its walk has moved to another generation, and releases the lock. A changed first page starts
  a new generation.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] lock token
    ARGV[3] hash field of the first page's limit; empty for a later page
    ARGV[4] digest of the page's ETag
    ARGV[5] digest of its newest row
    ARGV[6] generation when a later page's call was made
    ARGV[7] 1 if a later page shows that the walk has changed
    ARGV[8] generation in which the instance already holds this first page unchanged, or 0
    ARGV[9] a new generation
    ARGV[10] ARGV[11] fetched at, fresh until
    ARGV[12] milliseconds that the page is kept
    ARGV[13] milliseconds that the walk is kept
    ARGV[14] the page's record
    ARGV[15] the generation in the record
    ARGV[16] the highest plausible generation
  Output:
    the walk's generation, and the page's
    1; or 0 if the page was not stored and is still locked, since its record has to be made for this generation
]]
local token, first, tag, newest = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local askedIn, hasChanged, sameIn, newGeneration = ARGV[6], ARGV[7] == '1', ARGV[8], ARGV[9]
local fetchedAt, freshUntil, pageLifeMs, walkLifeMs = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local record, recordedIn = ARGV[14], ARGV[15]

-- @include "include/walk"
-- @include "../../../redis/lua/include/lock"
local belongsTo = askedIn
if first ~= '' then
  if not generation and sameIn ~= '0' then
    begin(sameIn, newest, walkLifeMs)
  else
    local knownTag = field(walkKey, first)
    local known = tonumber(generation or '0')
    local isOther = field(walkKey, 'n') ~= newest or (knownTag and knownTag ~= tag)
    if not generation or known < tonumber(sameIn) or isOther then
      begin(nextGeneration(newGeneration, known), newest, walkLifeMs)
    end
  end
  redis.call('HSET', walkKey, first, tag)
  redis.call('PEXPIRE', walkKey, walkLifeMs)
  belongsTo = generation
  if tonumber(belongsTo) ~= tonumber(recordedIn) then return {generation, belongsTo, 0} end
elseif hasChanged and (generation or '0') == belongsTo then
  begin(nextGeneration(newGeneration, tonumber(belongsTo)), '', walkLifeMs)
end

if belongsTo == (generation or '0') then
  redis.call('DEL', pageKey)
  redis.call('HSET', pageKey, 'g', belongsTo, 'f', fetchedAt, 'u', freshUntil, 'r', record)
  redis.call('PEXPIRE', pageKey, pageLifeMs)
end
releaseLock(lockKey, token)
publish('page', pageKey, '')
return {generation or '0', belongsTo, 1}

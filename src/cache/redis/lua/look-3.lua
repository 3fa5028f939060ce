--[[
  Looks a page up and, on a miss, locks it for the asking instance: one step, so that only one instance makes the call.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] … ARGV[6] what the instance knows of the walk (include/confirm)
    ARGV[7] now, wall time in milliseconds
    ARGV[8] earliest acceptable fetch, wall time
    ARGV[9] 1 if the page may be stale
    ARGV[10] lock token
    ARGV[11] lock lifetime in milliseconds
    ARGV[12] rank of the urgency, 0 is the most urgent
    ARGV[13] team
    ARGV[14] longest record in bytes
    ARGV[15] longest freshness of a page in milliseconds
    ARGV[16] longest life of a refusal in milliseconds
    ARGV[17] tolerated clock difference between instances in milliseconds
    ARGV[18] the highest plausible generation
  Output:
    'page'; 'lease' (the lock was acquired; with the stale page, if any); or 'wait' (another instance holds the lock)
    the walk's generation
    of the page: generation, fetched at, fresh until, record, refusal code (empty strings if absent)
    milliseconds until the lock expires
]]
local now, notBefore, mayBeStale = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
local token, lockLifeMs, rank, team = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local maxRecordBytes, maxFreshMs, maxRefusalMs = tonumber(ARGV[14]), ARGV[15], ARGV[16]
local maxAheadMs = tonumber(ARGV[17])

-- @include "include/walk"
-- @include "include/confirm"
-- @include "../../../redis/lua/include/lock"
local page = redis.pcall('HMGET', pageKey, 'g', 'f', 'u', 'r', 'x')
if page.err then
  redis.call('DEL', pageKey)
  page = {}
end
for i = 1, 5 do
  page[i] = page[i] or ''
  if #page[i] > maxRecordBytes then
    redis.call('DEL', pageKey)
    page = {'', '', '', '', ''}
  end
end
local pageGeneration, record, refusal = page[1], page[4], page[5]
local fetchedAt, freshUntil = tonumber(page[2]), tonumber(page[3])
if fetchedAt and freshUntil then
  freshUntil = math.min(freshUntil, fetchedAt + (refusal == '' and maxFreshMs or maxRefusalMs))
end

local isKnown = fetchedAt and freshUntil and pageGeneration == generation
local isRecent = isKnown and fetchedAt >= notBefore and fetchedAt <= now + maxAheadMs
if isRecent and (freshUntil > now or (mayBeStale and record ~= '')) then
  return {'page', generation, page[1], page[2], page[3], page[4], page[5], 0}
end

if acquireLock(lockKey, token, rank, lockLifeMs) then
  return {'lease', generation, page[1], page[2], page[3], page[4], page[5], 0}
end

local leftMs = redis.call('PTTL', lockKey)
local holder, heldRank = lockHolder(lockKey)
if not holder or not string.match(heldRank, '^%d$') or leftMs < 0 then
  redis.call('DEL', lockKey)
  leftMs = 0
elseif tonumber(rank) < tonumber(heldRank) then
  redis.call('SET', lockKey, holder .. ' ' .. rank, 'XX', 'KEEPTTL')
  publish('raise', pageKey, team, rank)
end
return {'wait', generation, '', '', '', '', '', leftMs}

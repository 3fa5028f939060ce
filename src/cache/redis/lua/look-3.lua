--[[
  Looks for a page and, where it is not there, locks it for the one who asks: one step, so that one instance makes the call.

  Input:
    KEYS[1] KEYS[2] KEYS[3] page, lock and walk (include/walk)
    ARGV[1] channel
    ARGV[2] … ARGV[6] what the instance knows of the walk (include/confirm)
    ARGV[7] now, in milliseconds of wall time
    ARGV[8] wall time: what was fetched before is not good enough
    ARGV[9] 1 when the page may be stale
    ARGV[10] token of the lock
    ARGV[11] its life in milliseconds
    ARGV[12] rank of the urgency, 0 the most urgent
    ARGV[13] team
    ARGV[14] bytes of the longest record
    ARGV[15] milliseconds that a page is fresh at most
    ARGV[16] milliseconds that a refusal is remembered at most
    ARGV[17] milliseconds that the clocks of two instances may differ by
    ARGV[18] the highest generation that there can be
  Output:
    what was found: 'page'; 'lease' (the lock is yours, with the stale page if there is one); 'wait' (another instance has it)
    the walk's generation
    of the page: generation, fetched at, fresh until, record, code of a refusal (empty texts where there is none)
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

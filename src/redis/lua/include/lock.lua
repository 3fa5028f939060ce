--[[
  A lock: a key that holds "<token>" or "<token> <note>" and expires. Only the holder's token renews or releases it; the note
  is for those who wait. A key without expiry, or with a longer one than a lock's, is foreign and is replaced.
]]
local function lockHolder(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then return nil end
  return string.match(value, '^(%S+) ?(.*)$')
end

local function holdsLock(key, token)
  local holder = lockHolder(key)
  return holder == token
end

local function acquireLock(key, token, note, lifeMs)
  local left = redis.call('PTTL', key)
  if left == -1 or left > tonumber(lifeMs) then redis.call('DEL', key) end
  local value = note == '' and token or token .. ' ' .. note
  return redis.call('SET', key, value, 'NX', 'PX', lifeMs)
end

local function renewLock(key, token, lifeMs)
  if holdsLock(key, token) then return redis.call('PEXPIRE', key, lifeMs) end
  return 0
end

local function releaseLock(key, token)
  if holdsLock(key, token) then return redis.call('DEL', key) end
  return 0
end

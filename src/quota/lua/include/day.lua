--[[
  Counts the day's calls of all instances by team, and shares them as day-shares.ts does.

  Keys and arguments of every script that includes this:
    KEYS[1] slots: calls by the time until which they count
    KEYS[2] state: `virtual` (start tag of the last permit), `since`, `lost`, `offered`
    KEYS[3] tags: the start tag of each flow's next permit
    KEYS[4] waiting: each instance's queue, and when it was announced
    KEYS[5] calls: `day`, and per team its calls (`c`), those not yet reported by their instance (`r`), what it keeps (`k`) of
      which share (`p`: the last one, for a team that was removed; 0 for one that had none)
    KEYS[6] reported: calls that each instance has reported, by team
    ARGV[1] message channel
    ARGV[2] this instance
    ARGV[3] JSON: number of the day, rest of it (1 at its start, 0 at its end), and by team: name, own calls, known calls, and the
      calls of each earlier start of the instance: its name then, calls
    ARGV[4] JSON: the teams' shares: name, part, cap
    ARGV[5] calls per day
    ARGV[6] highest plausible count; a higher one is ignored, and the instances report theirs again
]]
local slotsKey, stateKey, tagsKey, waitingKey, callsKey, reportedKey = unpack(KEYS)
local channel, me, perDay, maxCount = ARGV[1], ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[6])
local report, shares = cjson.decode(ARGV[3]), cjson.decode(ARGV[4])
local today, rest, reports = tonumber(report[1]), tonumber(report[2]), report[3]
local lifeMs = {turns = 60000, day = 172800000}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function publish(...) redis.call('PUBLISH', channel, cjson.encode({...})) end
local function number(key, name) return tonumber(redis.call('HGET', key, name) or nil) end
local function exact(value) return string.format('%.9f', value) end
-- Rounds as day-shares.ts does, so that both decide alike where half a call matters.
local function rounded(calls) return tonumber(exact(calls)) end
local function teamOf(flow) return string.match(flow, '^%S+ (.*)$') or '' end

local parts, teams, used, changed = {}, {}, 0, {}
for _, share in ipairs(shares) do
  local name, part, cap = share[1], share[2], share[3]
  parts[name] = {part = part, cap = cap}
  teams[name] = {c = 0, r = 0, k = part}
end

local function team(name)
  if not teams[name] then teams[name] = {c = 0, r = 0, k = 0} end
  return teams[name]
end

local function kept(name)
  local its, part = team(name), parts[name]
  if not part then return 0 end
  return math.max(0, math.min(its.k, part.part - its.c, part.cap - its.c, part.part * rest))
end

local function keptBut(name)
  local sum = 0
  for other in pairs(teams) do
    if other ~= name then sum = sum + math.floor(kept(other) + 0.5) end
  end
  return sum
end

local function left() return math.max(0, perDay - used) end
local function missing() return math.max(0, keptBut(nil) - left()) end

local function allows(name, reserve)
  if name == '' then return left() >= 1 end
  -- A team that was removed: its requests in progress are served, at the cost of all others.
  if not parts[name] then return left() - reserve >= 1 end
  return math.min(left() - reserve - keptBut(name), parts[name].cap - team(name).c) >= 1
end

local function level()
  if missing() == 0 then return end
  local sum, all = 0, {}
  for name in pairs(parts) do
    all[name] = kept(name)
    sum = sum + all[name]
  end
  for name, keeps in pairs(all) do
    teams[name].k, changed[name] = rounded(keeps * left() / sum), true
  end
end

local function add(name, calls)
  local its = team(name)
  its.c, used, changed[name] = math.max(0, its.c + calls), math.max(0, used + calls), true
  if calls < 0 then its.k = its.k - calls end
  if calls > 0 and parts[name] then its.k = rounded(math.max(0, kept(name) - missing())) end
  level()
end

-- An instance with a slow clock does not bring a day back.
local day = number(callsKey, 'day') or 0
local latest = math.floor(now / 86400000) + 1
if today > day then
  redis.call('DEL', callsKey, reportedKey)
  redis.call('HSET', callsKey, 'day', today)
  day = today
-- A day that an instance with a clock far ahead has begun gives way to one that Redis believes, too. What was counted stays.
elseif today < day and day > latest and today <= latest then
  redis.call('HSET', callsKey, 'day', today)
  day = today
end

local stored = redis.call('HGETALL', callsKey)
for i = 1, #stored, 2 do
  local kind, name, value = string.sub(stored[i], 1, 2), string.sub(stored[i], 3), tonumber(stored[i + 1])
  local isSane = value and value >= 0 and value <= maxCount
  if isSane and (kind == 'c:' or kind == 'r:' or kind == 'k:' or kind == 'p:') then
    team(name)[string.sub(kind, 1, 1)] = value
    if kind == 'c:' then used = used + value end
  end
end

-- Of another share than the stored one, a team keeps as large a part.
for name, its in pairs(teams) do
  local part = parts[name] and parts[name].part
  if part and its.p == 0 then
    its.k = part
  elseif part and its.p and math.abs(its.p - part) > 1e-6 then
    its.k = rounded(its.k * part / its.p)
  end
end
level()

local function count(name, calls)
  local field = me .. ' ' .. name
  add(name, calls)
  redis.call('HSET', reportedKey, field, (number(reportedKey, field) or 0) + calls)
end

-- Counts calls not yet counted. After a flush, other instances may already have reported some of them.
local function countReported(instance, name, calls)
  local its, field = team(name), instance .. ' ' .. name
  local new = calls - (number(reportedKey, field) or 0)
  if new <= 0 then return end
  local covered = math.min(its.r, new)
  its.r = its.r - covered
  add(name, new - covered)
  redis.call('HSET', reportedKey, field, calls)
end

if today == day then
  for _, one in ipairs(reports) do
    local name, own, known, before = one[1], one[2], one[3], one[4] or {}
    local its = team(name)
    countReported(me, name, own)
    for _, start in ipairs(before) do countReported(start[1], name, start[2]) end
    if known > its.c then
      its.r = its.r + known - its.c
      add(name, known - its.c)
    end
  end
end

-- Writes the changes. Returns JSON by team: name, calls, what it keeps.
local function saveDay()
  local all = {}
  for name in pairs(changed) do
    local its = teams[name]
    redis.call('HSET', callsKey, 'c:' .. name, string.format('%.0f', its.c), 'r:' .. name, string.format('%.0f', its.r),
      'k:' .. name, exact(its.k), 'p:' .. name, exact(parts[name] and parts[name].part or its.p or 0))
  end
  for name, its in pairs(teams) do
    if its.c > 0 or its.k < (parts[name] and parts[name].part or 0) then all[#all + 1] = {name, its.c, its.k} end
  end
  redis.call('PEXPIRE', callsKey, lifeMs.day)
  redis.call('PEXPIRE', reportedKey, lifeMs.day)
  return #all > 0 and cjson.encode(all) or '[]'
end

local function keepTurns()
  for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], lifeMs.turns) end
end

--[[
  Asks for a permit to call. Grants it to the flow with the lowest start tag of all instances (start-time fair queueing). If
  that flow is queued elsewhere, a message wakes its instance, which has a moment to ask.

  Input:
    KEYS[1] … KEYS[6] slots, state, tags, waiting, calls, reported (include/day)
    ARGV[1] … ARGV[6] channel, instance, report of the day, shares, calls per day, highest count (include/day)
    ARGV[7] calls per second
    ARGV[8] initial life of the permit's slot in milliseconds
    ARGV[9] name of the call
    ARGV[10] JSON: this instance's queue by flow: name, weight, waiting, calls of the day to leave to others
    ARGV[11] milliseconds until this instance could call within its own fraction
    ARGV[12] milliseconds that another instance's call counts
  Output:
    'granted' or 'wait'
    the day's calls by team, as JSON
    milliseconds to wait
    the other instances' queues, as JSON
    the granted flow
]]
local limit, holdMs, call, ownText, aloneMs = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], ARGV[10], tonumber(ARGV[11])
local othersMs = tonumber(ARGV[12])
-- After Redis restarts or is flushed, unknown calls count for this long: each instance keeps to its fraction.
local settleMs = 2100
-- A queue that is not announced again in this time is gone, with its instance.
local goneMs = 2000
-- How long a permit is kept for an instance that does not ask.
local offerMs, offerAgainMs = 60, 20
local idleMs = 1000

-- @include "include/day"
-- What is dated ahead was written before Redis' clock was set back, as by a failover. It would count until the clock has caught up.
local callsAhead = redis.call('ZREMRANGEBYSCORE', slotsKey, string.format('(%.0f', now + 2 * holdMs), '+inf')
local since, lost = number(stateKey, 'since'), number(stateKey, 'lost') or 0
if not since or since > now or lost > now or callsAhead > 0 then
  since, lost = now, now
  redis.call('HSET', stateKey, 'since', now, 'lost', now)
end
local own = cjson.decode(ownText)
local waitMs = now - since < settleMs and aloneMs or 0
if #own > 0 and waitMs == 0 then
  redis.call('HSET', waitingKey, me, now .. ' ' .. ownText)
else
  redis.call('HDEL', waitingKey, me)
end
local lostMs = now - lost
if lostMs < othersMs then waitMs = othersMs - lostMs end
if waitMs > 0 then return {'wait', saveDay(), waitMs, '[]', ''} end

local function areFlows(flows)
  if type(flows) ~= 'table' then return false end
  for _, flow in pairs(flows) do
    if type(flow) ~= 'table' or type(flow[1]) ~= 'string' then return false end
    for n = 2, 4 do if type(flow[n]) ~= 'number' then return false end end
    if flow[2] <= 0 then return false end
  end
  return true
end

local virtual = number(stateKey, 'virtual') or 0
local elsewhere, first, mine = {}, nil, nil
local all = redis.call('HGETALL', waitingKey)
for i = 1, #all, 2 do
  local instance = all[i]
  local at, text = string.match(all[i + 1], '^(%d+) (.*)$')
  local isJson, flows = pcall(cjson.decode, text)
  if not at or not isJson or not areFlows(flows) or math.abs(now - at) > goneMs then
    redis.call('HDEL', waitingKey, instance)
  else
    for _, flow in ipairs(flows) do
      local name, weight, reserve = flow[1], flow[2], flow[4]
      if instance ~= me then elsewhere[#elsewhere + 1] = flow end
      if allows(teamOf(name), reserve) then
        local start = math.max(number(tagsKey, name) or 0, virtual)
        local candidate = {name = name, weight = weight, start = start, instance = instance}
        if not first or start < first.start then first = candidate end
        if instance == me and (not mine or start < mine.start) then mine = candidate end
      end
    end
  end
end
elsewhere = #elsewhere > 0 and cjson.encode(elsewhere) or '[]'

redis.call('ZREMRANGEBYSCORE', slotsKey, '-inf', now)
local taken = redis.call('ZCARD', slotsKey)
if taken >= limit then
  local free = redis.call('ZRANGE', slotsKey, taken - limit, taken - limit, 'WITHSCORES')[2]
  return {'wait', saveDay(), math.ceil(free - now), elsewhere, ''}
end
if not mine then return {'wait', saveDay(), idleMs, elsewhere, ''} end
if first.start < mine.start then
  local offered = number(stateKey, 'offered')
  if not offered or offered > now then
    offered = nil
    redis.call('HSET', stateKey, 'offered', now)
    publish('turn', first.instance)
  end
  if not offered or now - offered < offerMs then return {'wait', saveDay(), offerAgainMs, elsewhere, ''} end
end

redis.call('HDEL', stateKey, 'offered')
redis.call('HSET', stateKey, 'virtual', exact(mine.start))
redis.call('HSET', tagsKey, mine.name, exact(mine.start + 1 / mine.weight))
redis.call('ZADD', slotsKey, now + holdMs, call)
count(teamOf(mine.name), 1)
local waiting = {}
for _, flow in ipairs(own) do
  if flow[1] == mine.name then flow[3] = flow[3] - 1 end
  if flow[3] > 0 then waiting[#waiting + 1] = flow end
end
if #waiting > 0 then
  redis.call('HSET', waitingKey, me, now .. ' ' .. cjson.encode(waiting))
else
  redis.call('HDEL', waitingKey, me)
end
keepTurns()
return {'granted', saveDay(), 0, '[]', mine.name}

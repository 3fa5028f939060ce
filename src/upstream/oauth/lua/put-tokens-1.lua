--[[
  Shares tokens with all instances, unless later ones are stored.

  Input:
    KEYS[1] the tokens: a hash of `t`, when they were issued, and `r`, the sealed record
    ARGV[1] when these were issued, wall time in milliseconds
    ARGV[2] their sealed record
    ARGV[3] message channel
    ARGV[4] latest plausible issue time
  Output:
    1 if they were stored, else 0
]]
local tokensKey, issuedAt, record, channel, latest = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local held = redis.pcall('HGET', tokensKey, 't')
held = type(held) == 'string' and tonumber(held) or nil
if held and held >= tonumber(issuedAt) and held <= latest then return 0 end
redis.call('DEL', tokensKey)
redis.call('HSET', tokensKey, 't', issuedAt, 'r', record)
redis.call('PUBLISH', channel, '["tokens"]')
return 1

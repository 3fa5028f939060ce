--[[
  Leaves tokens for all instances, unless later ones are there.

  Input:
    KEYS[1] the tokens: a hash of `t`, when they were issued, and `r`, the sealed record
    ARGV[1] when these were issued, in milliseconds of wall time
    ARGV[2] their sealed record
    ARGV[3] channel of the messages
    ARGV[4] the latest time at which any can have been issued: what is later is none of ours
  Output:
    1 when they were put, else 0
]]
local tokensKey, issuedAt, record, channel, latest = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local held = redis.pcall('HGET', tokensKey, 't')
held = type(held) == 'string' and tonumber(held) or nil
if held and held >= tonumber(issuedAt) and held <= latest then return 0 end
redis.call('DEL', tokensKey)
redis.call('HSET', tokensKey, 't', issuedAt, 'r', record)
redis.call('PUBLISH', channel, '["tokens"]')
return 1

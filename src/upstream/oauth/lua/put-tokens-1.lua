--[[
  Shares tokens with all instances, unless later ones are stored.

  Input:
    KEYS[1] the tokens: a hash of `t`, when they were issued, and `r`, the sealed record
    ARGV[1] when these were issued, wall time in milliseconds
    ARGV[2] their sealed record
    ARGV[3] message channel
    ARGV[4] latest plausible issue time
    ARGV[5] a record that is known to be earlier, whatever `t` says, which anyone can write; or empty
  Output:
    1 if they were stored, else 0
]]
local tokensKey, issuedAt, record, channel = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local latest, earlier = tonumber(ARGV[4]), ARGV[5]

local held = redis.pcall('HMGET', tokensKey, 't', 'r')
local heldIssuedAt = tonumber(held[1])
local isLater = heldIssuedAt and heldIssuedAt >= tonumber(issuedAt) and heldIssuedAt <= latest
if isLater and held[2] ~= earlier then return 0 end
redis.call('DEL', tokensKey)
redis.call('HSET', tokensKey, 't', issuedAt, 'r', record)
redis.call('PUBLISH', channel, '["tokens"]')
return 1

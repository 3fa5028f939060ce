--[[
  Reads the shared tokens.

  Input:
    KEYS[1] the tokens: a hash of `t`, when they were issued, and `r`, the sealed record
  Output:
    the sealed record; nil if there is none or it is implausibly long
]]
local tokensKey = KEYS[1]
local maxRecordBytes = 65536

local record = redis.pcall('HGET', tokensKey, 'r')
return type(record) == 'string' and #record <= maxRecordBytes and record or false

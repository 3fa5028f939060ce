--[[
  Tests commands against Redis' access control. Ignores other errors, such as a wrong type or a full Redis.

  Input:
    KEYS[1] an unused key
    ARGV[1] message channel
    ARGV[2] JSON: arguments by command; "key" and "channel" stand for those two
  Output:
    each denied command, followed by its error
]]
local probeKey, channel, commands = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local denied = {}

local given = {key = probeKey, channel = channel}
for name, arguments in pairs(commands) do
  local values = {}
  for n, value in ipairs(arguments) do values[n] = given[value] or value end
  local reply = redis.pcall(name, unpack(values))
  local err = type(reply) == 'table' and reply.err
  if err and (string.find(err, 'NOPERM', 1, true) or string.find(err, 'ACL failure', 1, true)
    or string.find(err, 'The user executing the script', 1, true)) then
    table.insert(denied, name)
    table.insert(denied, err)
  end
end
redis.pcall('DEL', probeKey)
return denied

-- Times: whole microseconds since the Unix epoch. Every number in these scripts is a whole number
-- below 2^53, which Lua's doubles hold exactly.

-- How much longer than needed a state is kept, in milliseconds: the server forgets by a clock that
-- may be behind the one that TIME shows.
local SLACK = 1000

-- The time given, or where that is 0 the server's.
local function time(given)
  if given > 0 then return given end
  local clock = redis.call('TIME')
  return clock[1] * 1000000 + clock[2]
end

-- Seconds with six decimals, as the original's scores and fields are written.
local function seconds(micros)
  local rest = micros % 1000000
  return string.format('%d.%06d', (micros - rest) / 1000000, rest)
end

-- Microseconds of seconds with decimals; nil if they are no such number. The fraction is taken
-- apart first: a double of today's seconds is good to a quarter of a microsecond.
local function micros(text)
  local number = tonumber(text)
  if not number or number ~= number or number < 0 or number >= 4294967296 then return nil end
  local whole = math.floor(number)
  return whole * 1000000 + math.floor((number - whole) * 1000000 + 0.5)
end

-- Keeps a key until a time, or longer if something else in it is needed for longer.
local function keep_until(key, at, new)
  local ms = string.format('%d', math.ceil(at / 1000) + SLACK)
  if new then redis.call('PEXPIREAT', key, ms, 'NX') end
  redis.call('PEXPIREAT', key, ms, 'GT')
end

-- Without the key: errors reach logs.
local function unreadable(what)
  return {err = 'WRONGTYPE the ' .. what .. ' at a key cannot be read'}
end

local function broken(what)
  error(unreadable(what))
end

-- Token bucket, leaky bucket and GCRA. The rule: core, algorithm::meter.
--
-- A time is whole microseconds and a rest in units of 1/R. A check is {kind, mode, cost, counted, R,
-- P, capacity, tolerance, its rest, first, its rest, charge, its rest, field}: R permits come back in
-- P microseconds, R = 0 means none ever do and time stands still at 0; `charge` is the time that
-- `cost` permits take. A state is {whole, rest, ahead}: the theoretical arrival time, whole -1 where
-- nothing is stored, and by how much the clock was set back since it was written.

local TOKENS, LEVEL = 5, 6
-- How long a bucket that begins with less than it holds is remembered once it is full: a day.
local REMEMBERED = 86400000000
local FIELDS = {[TOKENS] = {'tokens', 'last_refill'}, [LEVEL] = {'level', 'last_leak'}}

local function later(whole, rest, than, than_rest)
  return whole > than or whole == than and rest > than_rest
end

local function plus(check, whole, rest, more, more_rest)
  local parts = math.max(check[5], 1)
  whole, rest = whole + more, rest + more_rest
  if rest >= parts then return whole + 1, rest - parts end
  return whole, rest
end

-- a - b; 0 if b is longer.
local function minus(check, whole, rest, less, less_rest)
  if not later(whole, rest, less, less_rest) then return 0, 0 end
  if rest >= less_rest then return whole - less, rest - less_rest end
  return whole - less - 1, math.max(check[5], 1) - (less_rest - rest)
end

local function still(check, now)
  return check[5] == 0 and 0 or now
end

-- What the original keeps, `tokens` or `level` and the time they are of, as an arrival time.
local function meter_of_original(check, key, amount, at, now)
  amount, at = tonumber(amount), micros(at)
  if not amount or amount ~= amount or math.abs(amount) > EXACT or not at then
    broken('bucket')
  end
  at = math.min(at, now)
  local spent = check[1] == TOKENS and check[7] - amount or amount
  if spent <= 0 then return {still(check, at), 0} end
  if check[5] == 0 then return {math.ceil(spent), 0} end
  local scaled = math.floor(spent * check[6] + 0.5)
  local whole = math.floor(scaled / check[5])
  local rest = scaled - whole * check[5]
  return {at + whole, math.max(math.min(rest, check[5] - 1), 0)}
end

-- `whole rest at`. What was written at a time that has yet to come, for the clock was set back, is moved
-- back as far: that takes no tokens and gives none.
local function meter_parse(check, key, text, now)
  local whole, rest, at = string.match(text, '^(%d+) (%d+) (%d+)$')
  if not whole then broken('bucket') end
  local ahead = math.max(tonumber(at) - still(check, now), 0)
  whole = math.max(tonumber(whole) - ahead, 0)
  return {whole, math.min(tonumber(rest), math.max(check[5] - 1, 0)), ahead}
end

local function meter_load(check, key, now)
  local names = FIELDS[check[1]]
  if not names then
    local text = redis.call('HGET', key, check[14])
    return text and meter_parse(check, key, text, now) or {-1, 0}
  end
  local found = redis.call('HMGET', key, names[1], names[2], 'copy', check[14])
  local amount, at = found[1], found[2]
  if not amount and not at then return {-1, 0} end
  -- What nobody else has written over is known exactly.
  if amount and at and found[3] == amount .. ' ' .. at then
    return found[4] and meter_parse(check, key, found[4], now) or {-1, 0}
  end
  if not amount or not at then return {-1, 0} end
  return meter_of_original(check, key, amount, at, now)
end

-- max(TAT, now), and never further ahead than the bucket is deep.
local function meter_arrival(check, state, now)
  local at = still(check, now)
  local horizon, horizon_rest = plus(check, at, 0, check[8], check[9])
  local whole, rest = state[1], state[2]
  if whole < 0 then
    whole, rest = plus(check, at, 0, check[10], check[11])
  elseif later(at, 0, whole, rest) then
    whole, rest = at, 0
  elseif later(whole, rest, horizon, horizon_rest) then
    whole, rest = horizon, horizon_rest
  end
  return whole, rest, horizon, horizon_rest
end

local function meter_step(check, state, now)
  local whole, rest, horizon, horizon_rest = meter_arrival(check, state, now)
  local charged, charged_rest = plus(check, whole, rest, check[12], check[13])
  if later(charged, charged_rest, horizon, horizon_rest) then return false, {whole, rest} end
  return true, {charged, charged_rest}
end

local function meter_penalize(check, state, now)
  local whole, rest, horizon, horizon_rest = meter_arrival(check, state, now)
  local charged, charged_rest = plus(check, whole, rest, check[12], check[13])
  if later(charged, charged_rest, horizon, horizon_rest) then return {horizon, horizon_rest} end
  return {charged, charged_rest}
end

-- Whether a refused state has to be stored all the same: a later clock had written it, or a key that
-- begins with less than it could have would never gain anything.
local function meter_is_ahead(check, state, now)
  if state[1] < 0 then return check[10] > 0 or check[11] > 0 end
  if (state[3] or 0) > 0 then return true end
  local horizon, horizon_rest = plus(check, still(check, now), 0, check[8], check[9])
  return later(state[1], state[2], horizon, horizon_rest)
end

-- Permits spent, as a number with decimals, for those who read `tokens` or `level`.
local function meter_spent(check, whole, rest, now)
  if check[5] == 0 then return whole end
  return math.max((whole - now) * check[5] + rest, 0) / check[6]
end

local function meter_store(check, key, _, state, now)
  local whole, rest = state[1], state[2]
  local text = string.format('%d %d %d', whole, rest, still(check, now))
  local names, new = FIELDS[check[1]], nil
  if names then
    local spent = meter_spent(check, whole, rest, now)
    local amount = string.format('%.17g', check[1] == TOKENS and check[7] - spent or spent)
    local at = seconds(now)
    new = redis.call('HSET', key, names[1], amount, names[2], at, 'copy', amount .. ' ' .. at,
      check[14], text)
  else
    new = redis.call('HSET', key, check[14], text)
  end
  if check[5] == 0 then
    redis.call('PERSIST', key)
  else
    local remembered = (check[10] > 0 or check[11] > 0) and REMEMBERED or 0
    keep_until(key, whole + 1 + remembered, new > 0)
  end
end

-- `charged_at` of -1 means just now.
local function meter_refund(check, state, now, charged_at)
  local at = still(check, now)
  local whole, rest = meter_arrival(check, state, now)
  local elapsed = charged_at < 0 and 0 or math.max(at - still(check, charged_at), 0)
  local back, back_rest = minus(check, check[12], check[13], elapsed, 0)
  whole, rest = minus(check, whole, rest, back, back_rest)
  if later(at, 0, whole, rest) then return {at, 0} end
  return {whole, rest}
end

-- Fixed window and sliding window counter. The rule: core, algorithm::window.
--
-- A check is {kind, mode, cost, counted, limit, period, window, ends, cost as text}: for windows on the
-- clock `window` is the start that the key was made for and `ends` when the key may be forgotten, in
-- milliseconds; for the counter `window` is the field of the hash.
-- A state is {start, previous, current}; start is -1 where nothing is stored.

local CLOCK, FIRST, COUNTER = 1, 2, 3
local EXACT, LIMB = 9007199254740992, 1048576

-- a * b in limbs of 20 bits, for a below 2^32 and b below 2^53.
local function product(a, b)
  local low = a * (b % LIMB)
  local middle = a * (math.floor(b / LIMB) % LIMB) + math.floor(low / LIMB)
  local high = a * math.floor(b / (LIMB * LIMB)) + math.floor(middle / LIMB)
  return high, middle % LIMB, low % LIMB
end

-- Whether a * b <= c * d.
local function at_most(a, b, c, d)
  local left, right = a * b, c * d
  if left < EXACT and right < EXACT then return left <= right end
  local a2, a1, a0 = product(a, b)
  local c2, c1, c0 = product(c, d)
  if a2 ~= c2 then return a2 < c2 end
  if a1 ~= c1 then return a1 < c1 end
  return a0 <= c0
end

local function window_of(check, now)
  if check[1] == FIRST then return now - now % 1000 end
  return now - now % check[6]
end

local function window_load(check, key, now)
  local kind, period = check[1], check[6]
  if kind == COUNTER then
    local text = redis.call('HGET', key, check[7])
    if not text then return {-1, 0, 0} end
    local start, previous, current = string.match(text, '^(%d+) (%d+) (%d+)$')
    if not start then broken('sliding window counter') end
    return {tonumber(start), tonumber(previous), tonumber(current)}
  end
  local text = redis.call('GET', key)
  if not text then return {-1, 0, 0} end
  local count = tonumber(string.match(text, '^%d+$'))
  if not count then broken('fixed window') end
  if count > 4294967295 then count = 4294967295 end
  if kind == CLOCK then return {check[7], 0, count} end
  local start = redis.call('PEXPIRETIME', key) * 1000 - period
  -- Without an expiry, or counting nothing, no window has begun.
  if start < 0 or count == 0 then return {-1, 0, 0} end
  return {start, 0, count}
end

-- The counts as they stand at `now`.
local function window_roll(check, state, now)
  local period = check[6]
  local start, previous, current = state[1], state[2], state[3]
  if start < 0 then return window_of(check, now), 0, 0 end
  if now - start < period then
    if start <= now and current > 0 then return start, previous, current end
    return window_of(check, now), previous, current
  end
  local began = window_of(check, now)
  if check[1] == COUNTER and began - start == period then return began, current, 0 end
  return began, 0, 0
end

-- Whether the check is admitted, and the state after it.
local function window_step(check, state, now)
  local cost, limit, period = check[3], check[5], check[6]
  local start, previous, current = window_roll(check, state, now)
  local room = limit - current - cost
  local allowed = cost == 0
    or room >= 0 and (previous == 0 or at_most(previous, period - (now - start), room, period))
  if not allowed then return false, {start, previous, current} end
  return true, {start, previous, current + cost}
end

local function window_penalize(check, state, now)
  local start, previous, current = window_roll(check, state, now)
  return {start, previous, math.max(current, math.min(current + check[3], check[5]))}
end

-- Whether a refused state has to be stored all the same: a later clock had written it.
local function window_is_ahead(_, state, now)
  return state[1] > now
end

local function window_store(check, key, was, state)
  local kind, period = check[1], check[6]
  local start, previous, current = state[1], state[2], state[3]
  if kind == COUNTER then
    local text = string.format('%d %d %d', start, previous, current)
    local new = redis.call('HSET', key, check[7], text) == 1
    keep_until(key, start + 2 * period, new)
  elseif kind == CLOCK then
    if was[3] == 0 then
      redis.call('SET', key, string.format('%d', current), 'PXAT', check[8])
    else
      redis.call('INCRBY', key, string.format('%d', current - was[3]))
    end
  else
    -- The expiry is where the window ends, so it is no later than that.
    local ends = string.format('%d', math.floor((start + period) / 1000))
    redis.call('SET', key, string.format('%d', current), 'PXAT', ends)
  end
end

local function window_refund(check, state, now, charged_at)
  local cost, period = check[3], check[6]
  if check[1] == CLOCK then return {state[1], 0, math.max(state[3] - cost, 0)} end
  local start, previous, current = window_roll(check, state, now)
  if charged_at >= start then
    current = math.max(current - cost, 0)
  elseif charged_at + period >= start then
    previous = math.max(previous - cost, 0)
  end
  return {start, previous, current}
end

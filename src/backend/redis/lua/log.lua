-- Sliding window. The rule: core, algorithm::log.
--
-- A check is {kind, mode, cost, counted, limit, period}. The log is a sorted set with one member for
-- each permit, scored by its time in seconds. A state is {used, newest, older, longest}: permits
-- taken in the last period, the time of the latest or -1, how many members are older than a period, and
-- how far back in milliseconds the key's policies look.

local LOG = 7
local CHUNK = 500

-- The time of the first of these members with their scores; -1 if there is none.
local function log_time(members)
  if not members[2] then return -1 end
  return micros(members[2]) or broken('sliding window')
end

local function log_newest(key)
  return log_time(redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES'))
end

-- The expiry says how far back, in milliseconds, the log is looked at.
local function log_expire(key, newest, longest)
  local at = math.floor(newest / 1000) + longest + SLACK
  redis.call('PEXPIREAT', key, string.format('%d', at))
end

local function log_longest(key, newest, period)
  local told = redis.call('PEXPIRETIME', key) - SLACK - math.floor(newest / 1000)
  return math.max(math.ceil(period / 1000), told)
end

-- Moves entries that a later clock had written to now.
local function log_clamp(key, now, longest)
  local score = seconds(now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. score, '+inf')) do
    redis.call('ZADD', key, score, member)
  end
  log_expire(key, now, longest)
end

-- Brings the log up to date. Where another policy looks further back at the same key, older entries
-- stay.
local function log_load(check, key, now)
  local period = check[6]
  local newest = log_newest(key)
  if newest < 0 then return {0, -1, 0, math.ceil(period / 1000)} end
  local longest = log_longest(key, newest, period)
  if newest > now then
    log_clamp(key, now, longest)
    newest = now
  end
  local alone = longest == math.ceil(period / 1000)
  local kept = alone and period or longest * 1000
  redis.call('ZREMRANGEBYSCORE', key, '-inf', seconds(math.max(now - kept, 0)))
  local stored = redis.call('ZCARD', key)
  if alone then return {stored, stored > 0 and newest or -1, 0, longest} end
  local used = redis.call('ZCOUNT', key, '(' .. seconds(math.max(now - period, 0)), '+inf')
  return {used, used > 0 and newest or -1, stored - used, longest}
end

local function log_step(check, state, pending)
  local cost = check[3]
  return cost == 0 or state[1] + pending + cost <= check[5]
end

-- The time of the entry that has to leave before the check is admitted; -1 if none does.
local function log_reach(check, key, state, pending)
  local cost, limit = check[3], check[5]
  local missing = state[1] + pending + cost - limit
  if cost > limit or missing < 1 or missing > state[1] then return -1 end
  local rank = state[3] + missing - 1
  return log_time(redis.call('ZRANGE', key, rank, rank, 'WITHSCORES'))
end

-- `name` makes members unique.
local function log_append(check, key, state, now, cost, name)
  local score, longest = seconds(now), state[4]
  local from = 0
  while from < cost do
    local arguments = {}
    for index = from, math.min(from + CHUNK, cost) - 1 do
      arguments[#arguments + 1] = score
      arguments[#arguments + 1] = score .. ':' .. name .. ':' .. index
    end
    redis.call('ZADD', key, unpack(arguments))
    from = from + CHUNK
  end
  log_expire(key, now, longest)
  return {state[1] + cost, now, state[3], longest}
end

-- Forgets the oldest permits above the limit.
local function log_trim(check, key, state)
  local over = state[1] - check[5]
  if over <= 0 then return state end
  redis.call('ZREMRANGEBYRANK', key, state[3], state[3] + over - 1)
  return {check[5], check[5] > 0 and state[2] or -1, state[3], state[4]}
end

local function log_refund(check, key, charged_at)
  local newest = log_newest(key)
  if newest < 0 then return end
  local longest, at = log_longest(key, newest, check[6]), seconds(charged_at)
  local members = redis.call('ZRANGEBYSCORE', key, at, at, 'LIMIT', 0, check[3])
  for from = 1, #members, CHUNK do
    redis.call('ZREM', key, unpack(members, from, math.min(from + CHUNK - 1, #members)))
  end
  newest = log_newest(key)
  if newest >= 0 then log_expire(key, newest, longest) end
end

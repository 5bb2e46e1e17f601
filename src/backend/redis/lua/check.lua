-- Decides checks, alone or in groups, each all or nothing, and charges those that are admitted. The
-- rule: core, settle.
--
-- KEYS: the keys of all checks, in order.
-- ARGV[1]: MessagePack of {time or 0, name, checks, asked}. `name` is unique to this call. `checks` are the
-- different ones, named by their number in `asked`: a number there is a check that stands alone, a table
-- is a group, {check, shared, check, shared, ...}, where `shared` is the place in the group of the latest
-- check before that has the same state, or 0. The second item of a check is 1 to charge and 0 to look.
-- Answer: MessagePack of the time, and for each of those asked its outcome and some
-- numbers for each check, the state that was found: of a window on the clock the count, of other windows
-- the start and the counts, of a bucket the arrival time, of a log {used, newest, the entry that has to
-- leave}. Where the outcome is COUNTED, three more for each log: how it stands after the refusal was
-- counted. Where the outcome is STALE or an error's text, nothing follows it.

local REFUSED, CHARGED, STALE, COUNTED = 0, 1, 2, 3

local batch = cmsgpack.unpack(ARGV[1])
local now, name, checks = time(batch[1]), batch[2], batch[3]
local answer = {now}

local function tell(first, second, third)
  local at = #answer
  answer[at + 1], answer[at + 2], answer[at + 3] = first, second, third
end

-- How many numbers of a state are told, and from which on.
local function tell_state(check, state)
  local kind = check[1]
  if kind == CLOCK then
    answer[#answer + 1] = state[3]
  elseif kind < 4 then
    tell(state[1], state[2], state[3])
  else
    tell(state[1], state[2])
  end
end

local function load(check, key)
  local kind = check[1]
  if kind == LOG then return log_load(check, key, now) end
  if kind < 4 then return window_load(check, key, now) end
  return meter_load(check, key, now)
end

local function step(check, state, pending)
  local kind = check[1]
  if kind < 4 then return window_step(check, state, now) end
  if kind < LOG then return meter_step(check, state, now) end
  local allowed = log_step(check, state, pending)
  return allowed, allowed and pending + check[3] or pending
end

-- `place` is that of the key among all: with the call's name it makes entries of logs unique.
local function store(check, key, was, after, place)
  local kind = check[1]
  if kind == LOG then
    log_append(check, key, was, now, check[3], name .. ':' .. place)
  elseif kind < 4 then
    window_store(check, key, was, after)
  else
    meter_store(check, key, was, after, now)
  end
end

-- Counts a refusal; answers how the state stands then.
local function penalize(check, key, state, place)
  if check[1] == LOG then
    local cost = math.min(check[3], check[5])
    if cost > 0 then state = log_append(check, key, state, now, cost, name .. ':' .. place) end
    return log_trim(check, key, state)
  end
  if check[1] < 4 then
    local after = window_penalize(check, state, now)
    window_store(check, key, state, after)
    return after
  end
  local after = meter_penalize(check, state, now)
  meter_store(check, key, state, after, now)
  return after
end

-- A refused state that a later clock had written is clamped for good, or the key would stay blocked
-- until that clock comes round again.
local function keep_up_to_date(check, key, state)
  if check[1] == LOG then return state end
  if check[1] < 4 then
    if not window_is_ahead(check, state, now) then return state end
    local clamped = {window_roll(check, state, now)}
    window_store(check, key, state, clamped)
    return clamped
  end
  if not meter_is_ahead(check, state, now) then return state end
  local whole, rest = meter_arrival(check, state, now)
  local clamped = {whole, rest}
  meter_store(check, key, state, clamped, now)
  return clamped
end

-- The part of `decline` that is about one check; answers how its state stands then.
local function declined(check, key, state, allowed, place)
  if check[4] == 1 then return penalize(check, key, state, place) end
  if not allowed then return keep_up_to_date(check, key, state) end
  return state
end

local function reach(check, key, state, allowed, pending)
  return allowed and -1 or log_reach(check, key, state, pending)
end

local function is_stale(check)
  return check[1] == CLOCK and check[7] ~= window_of(check, now)
end

-- Counts in a window on the clock. Answers the count, or nil and why it cannot be had.
local function count(check, key)
  local after = redis.pcall('INCRBY', key, check[9])
  if type(after) == 'number' and after >= check[3] then return after end
  if type(after) == 'number' then
    redis.call('DECRBY', key, check[9])
  elseif not string.find(after.err, '^ERR') then
    return nil, after
  end
  return nil, unreadable('fixed window')
end

-- A window on the clock in one command; what is too much is taken back at once.
local function settle_count(check, key)
  local after, fault = count(check, key)
  if fault then error(fault) end
  local before = after - check[3]
  if after > check[5] then
    redis.call('DECRBY', key, check[9])
    tell(REFUSED, before)
    return
  end
  if before == 0 then redis.call('PEXPIREAT', key, check[8]) end
  tell(CHARGED, before)
end

-- A window on the clock that takes what it can: no refusal counts, and the cost alone is not too much.
local function is_count(check)
  return check[1] == CLOCK and check[2] == 1 and check[4] == 0 and check[3] > 0
    and check[3] <= check[5]
end

local function settle_alone(check, key, place)
  if is_stale(check) then
    answer[#answer + 1] = STALE
    return
  end
  if is_count(check) then return settle_count(check, key) end
  local charges = check[2] == 1
  local state = load(check, key)
  local allowed, after = step(check, state, 0)
  local leaves = check[1] == LOG and reach(check, key, state, allowed, 0)
  local outcome = REFUSED
  if charges and allowed then
    if check[3] > 0 then store(check, key, state, after, place) end
    outcome = CHARGED
  elseif charges then
    after = declined(check, key, state, allowed, place)
    if check[1] == LOG and check[4] == 1 then outcome = COUNTED end
  end
  answer[#answer + 1] = outcome
  if not leaves then return tell_state(check, state) end
  tell(state[1], state[2], leaves)
  if outcome == COUNTED then tell(after[1], after[2], log_reach(check, key, after, 0)) end
end

-- The steps of a group on top of each other; for logs a step is the permits that are pending.
local function evaluate(group, first)
  local found, steps, allowed, all = {}, {}, {}, true
  for place = 1, #group / 2 do
    local check, shared = checks[group[2 * place - 1]], group[2 * place]
    local state = shared > 0 and found[shared] or load(check, KEYS[first + place])
    local before = shared > 0 and steps[shared]
    found[place] = state
    allowed[place], steps[place] = step(check, check[1] ~= LOG and before or state, before or 0)
    all = all and allowed[place]
  end
  return all, found, steps, allowed
end

local function charge(group, first, found, steps)
  for place = 1, #group / 2 do
    local check, shared = checks[group[2 * place - 1]], group[2 * place]
    if check[3] > 0 then
      local was = shared > 0 and check[1] ~= LOG and steps[shared] or found[place]
      store(check, KEYS[first + place], was, steps[place], first + place)
    end
  end
end

-- Nobody is charged. Answers how the logs stand after that, if any counts.
local function decline(group, first, found, allowed)
  local current, after, counted = {}, {}, false
  for place = 1, #group / 2 do
    local check, shared = checks[group[2 * place - 1]], group[2 * place]
    local key = KEYS[first + place]
    local state = shared > 0 and current[shared] or found[place]
    state = declined(check, key, state, allowed[place], first + place)
    current[place] = state
    if check[1] == LOG then
      local counts = check[4] == 1
      counted = counted or counts
      after[#after + 1] = {state[1], state[2], reach(check, key, state, not counts, 0)}
    end
  end
  return counted and after or nil
end

-- The same for a group of such windows: as soon as one refuses, it gives back what it took, and so do
-- the others in the end.
local function settle_counts(group, first)
  local outcome_at, outcome, size = #answer + 1, CHARGED, #group / 2
  answer[outcome_at] = CHARGED
  local taken = {}
  for place = 1, size do
    local check, key = checks[group[2 * place - 1]], KEYS[first + place]
    local after, fault = count(check, key)
    if fault then
      for other in pairs(taken) do
        redis.call('DECRBY', KEYS[first + other], checks[group[2 * other - 1]][9])
      end
      error(fault)
    end
    local before = after - check[3]
    answer[outcome_at + place] = before
    if before == 0 then redis.call('PEXPIREAT', key, check[8]) end
    if after > check[5] then
      redis.call('DECRBY', key, check[9])
      outcome = REFUSED
    else
      taken[place] = true
    end
  end
  if outcome == CHARGED then return end
  answer[outcome_at] = REFUSED
  for place in pairs(taken) do
    redis.call('DECRBY', KEYS[first + place], checks[group[2 * place - 1]][9])
  end
end

local function settle_group(group, first)
  local counts = true
  for place = 1, #group / 2 do
    local check = checks[group[2 * place - 1]]
    if is_stale(check) then
      answer[#answer + 1] = STALE
      return
    end
    counts = counts and is_count(check)
  end
  if counts then return settle_counts(group, first) end
  local all, found, steps, allowed = evaluate(group, first)
  local outcome_at = #answer + 1
  answer[outcome_at] = REFUSED
  for place = 1, #group / 2 do
    local check, shared, state = checks[group[2 * place - 1]], group[2 * place], found[place]
    if check[1] == LOG then
      local pending = shared > 0 and steps[shared] or 0
      local key = KEYS[first + place]
      tell(state[1], state[2], reach(check, key, state, allowed[place], pending))
    else
      tell_state(check, state)
    end
  end
  if checks[group[1]][2] == 0 then return end
  if all then
    charge(group, first, found, steps)
    answer[outcome_at] = CHARGED
    return
  end
  local after = decline(group, first, found, allowed)
  if not after then return end
  answer[outcome_at] = COUNTED
  for _, log in ipairs(after) do tell(log[1], log[2], log[3]) end
end

-- An error of one does not touch the others.
local function guarded(settle, what, first, place)
  local before = #answer
  local done, fault = pcall(settle, what, first, place)
  if done then return end
  for at = #answer, before + 1, -1 do answer[at] = nil end
  answer[before + 1] = type(fault) == 'table' and fault.err or tostring(fault)
end

local first = 0
for _, asked in ipairs(batch[4]) do
  if type(asked) == 'number' then
    first = first + 1
    guarded(settle_alone, checks[asked], KEYS[first], first)
  else
    guarded(settle_group, asked, first)
    first = first + #asked / 2
  end
end
return cmsgpack.pack(answer)

-- Decides groups of checks, each all or nothing, and charges those that are admitted. The rule: core,
-- settle.
--
-- KEYS: the keys of all checks, in order.
-- ARGV[1]: MessagePack of {time or 0, name, group, ...}; `name` is unique to this call; a group is
-- {mode, check, ...}, mode 1 charges and mode 0 only looks. The second item of a check is the number
-- of the latest check before it in its group that has the same state, or 0.
-- Answer: the time, and for each group its outcome and three numbers for each check: the state that
-- was found, for a log {used, newest, the entry that has to leave}. Where the outcome is COUNTED, three
-- more for each log: how it stands after the refusal was counted. Where the outcome is STALE or an
-- error's text, nothing follows it.

local REFUSED, CHARGED, STALE, COUNTED = 0, 1, 2, 3

local function load(check, key, now)
  local kind = check[1]
  if kind == LOG then return log_load(check, key, now) end
  if kind < 4 then return window_load(check, key, now) end
  return meter_load(check, key, now)
end

-- The steps of a group on top of each other; for logs a step is the permits that are pending.
local function evaluate(group, first, now)
  local found, steps, allowed = {}, {}, {}
  local all = true
  for index = 1, #group - 1 do
    local check, key = group[index + 1], KEYS[first + index]
    local kind, shared = check[1], check[2]
    local state = shared > 0 and found[shared] or load(check, key, now)
    found[index] = state
    if kind == LOG then
      local pending = shared > 0 and steps[shared] or 0
      allowed[index] = log_step(check, state, pending)
      steps[index] = allowed[index] and pending + check[3] or pending
    elseif kind < 4 then
      allowed[index], steps[index] = window_step(check, shared > 0 and steps[shared] or state, now)
    else
      allowed[index], steps[index] = meter_step(check, shared > 0 and steps[shared] or state, now)
    end
    all = all and allowed[index]
  end
  return all, found, steps, allowed
end

local function charge(group, first, now, found, steps, name)
  for index = 1, #group - 1 do
    local check, key = group[index + 1], KEYS[first + index]
    if check[3] > 0 then
      if check[1] == LOG then
        log_append(check, key, found[index], now, check[3], name .. ':' .. first + index)
      elseif check[1] < 4 then
        local shared = check[2]
        window_store(check, key, shared > 0 and steps[shared] or found[index], steps[index])
      else
        meter_store(check, key, found[index], steps[index], now)
      end
    end
  end
end

local function penalize(check, key, state, now, name)
  if check[1] == LOG then
    local cost = math.min(check[3], check[5])
    if cost > 0 then state = log_append(check, key, state, now, cost, name) end
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
local function keep_up_to_date(check, key, state, now)
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

-- Nobody is charged: brings states up to date, and counts the refusal where asked to. Answers how the
-- logs stand after that, if any counts.
local function decline(group, first, now, found, allowed, name)
  local current, after, counted = {}, {}, false
  for index = 1, #group - 1 do
    local check, key = group[index + 1], KEYS[first + index]
    local shared = check[2]
    local state = shared > 0 and current[shared] or found[index]
    if check[4] == 1 then
      state = penalize(check, key, state, now, name .. ':' .. first + index)
      counted = counted or check[1] == LOG
    elseif not allowed[index] then
      state = keep_up_to_date(check, key, state, now)
    end
    current[index] = state
    if check[1] == LOG then
      local reach = check[4] == 1 and log_reach(check, key, state, 0) or -1
      after[#after + 1] = {state[1], state[2], reach}
    end
  end
  return counted and after or nil
end

local function is_stale(group, now)
  for index = 2, #group do
    local check = group[index]
    if check[1] == CLOCK and check[7] ~= window_of(check, now) then return true end
  end
  return false
end

local function tell(answer, first, second, third)
  local at = #answer
  answer[at + 1], answer[at + 2], answer[at + 3] = first, second, third
end

-- What was found, in three numbers for each check.
local function tell_found(answer, group, first, found, steps, allowed)
  for index = 1, #group - 1 do
    local check, state = group[index + 1], found[index]
    if check[1] ~= LOG then
      tell(answer, state[1], state[2], state[3] or 0)
    else
      local pending = check[2] > 0 and steps[check[2]] or 0
      local reach = allowed[index] and -1 or log_reach(check, KEYS[first + index], state, pending)
      tell(answer, state[1], state[2], reach)
    end
  end
end

local function settle(answer, group, first, now, name)
  if is_stale(group, now) then
    answer[#answer + 1] = STALE
    return
  end
  local all, found, steps, allowed = evaluate(group, first, now)
  local charges = group[1] == 1
  local told = {}
  tell_found(told, group, first, found, steps, allowed)
  local after
  if charges and all then
    charge(group, first, now, found, steps, name)
  elseif charges then
    after = decline(group, first, now, found, allowed, name)
  end
  answer[#answer + 1] = charges and all and CHARGED or after and COUNTED or REFUSED
  for index = 1, #told do answer[#answer + 1] = told[index] end
  for _, log in ipairs(after or {}) do tell(answer, log[1], log[2], log[3]) end
end

local batch = cmsgpack.unpack(ARGV[1])
local now = time(batch[1])
local answer = {now}
local first = 0
for index = 3, #batch do
  local group, before = batch[index], #answer
  local done, fault = pcall(settle, answer, group, first, now, batch[2])
  if not done then
    for at = #answer, before + 1, -1 do answer[at] = nil end
    answer[before + 1] = type(fault) == 'table' and fault.err or tostring(fault)
  end
  first = first + #group - 1
end
return answer

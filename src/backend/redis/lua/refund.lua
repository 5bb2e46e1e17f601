-- Gives back what a check took: at most what was charged, and only to the window it was taken from.
-- The rule: `refund` of the algorithms in core.
--
-- KEYS[1]: the key. ARGV[1]: MessagePack of {time or 0, check, when it was charged or -1 for just now}.

local batch = cmsgpack.unpack(ARGV[1])
local now, check, charged_at = time(batch[1]), batch[2], batch[3]
local key, kind = KEYS[1], check[1]
if kind == LOG then
  log_refund(check, key, charged_at < 0 and now or charged_at)
elseif kind < 4 then
  local state = window_load(check, key, now)
  if state[1] >= 0 then
    local charged = charged_at < 0 and now or charged_at
    window_store(check, key, state, window_refund(check, state, now, charged))
  end
else
  local state = meter_load(check, key, now)
  if state[1] >= 0 then
    meter_store(check, key, state, meter_refund(check, state, now, charged_at), now)
  end
end
return 0

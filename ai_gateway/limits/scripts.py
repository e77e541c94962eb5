"""The scripts that run inside Redis: each is one step that nothing comes between.

A rate is a hash of its own: ``w`` the window's end in milliseconds, ``n`` what is taken. A budget
is one hash for all its parts, so that Redis cannot lose some of it and keep the rest: ``w``,
``e`` the life of the counts (absent until they were loaded), and of each part ``n...`` what is
taken and ``s...`` what is spent for good. Time is Redis's own, so that the clocks of gateways do
not matter; ``ARGV[1]`` is a time in its place, for tests.
"""

from __future__ import annotations

from typing import Final

_TIME: Final = """
local function time()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local parts = redis.call('TIME')
  return parts[1] * 1000 + math.floor(parts[2] / 1000)
end
"""

#: Days since the epoch to a month's end and back, in years that begin in March:
#: https://howardhinnant.github.io/date_algorithms.html
_WINDOWS: Final = """
local DAY = 86400000
local function month_end(now)
  local days = math.floor(now / DAY) + 719468
  local era = math.floor(days / 146097)
  local doe = days - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524)
    - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local month = math.floor((5 * doy + 2) / 153) + 1
  local year = era * 400 + yoe
  if month == 12 then year, month = year + 1, 0 end
  era = math.floor(year / 400)
  yoe = year - era * 400
  doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + math.floor((153 * month + 2) / 5)
  return (era * 146097 + doe - 719468) * DAY
end
local function window_end(window, now)
  if window == 'day' then return (math.floor(now / DAY) + 1) * DAY end
  if window == 'month' then return month_end(now) end
  return now + tonumber(window)
end
local function text(number) return string.format('%.0f', number) end
"""

#: KEYS: a counter each. ARGV: time, then of each its cap, amount, window and part ('' for a rate).
#: Gives what refuses (0: nothing, -1: something is lost), the time, then of each what is taken,
#: the window's end and the life; of what is lost nothing is said but -1.
RESERVE: Final = (
    _TIME
    + _WINDOWS
    + """
local now, refused, latest, lost = time(), 0, 0, false
local taken, ends, lives = {}, {}, {}
for i, key in ipairs(KEYS) do
  local cap, amount = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local window, part = ARGV[4 * i], ARGV[4 * i + 1]
  local found = redis.call('HMGET', key, 'w', 'n' .. part, 'e')
  local finish, used = tonumber(found[1]) or 0, tonumber(found[2]) or 0
  lives[i] = found[3] or ''
  if finish <= now then finish, used = window_end(window, now), 0 end
  if part ~= '' and not found[3] then used, lost = -1, true end
  if used + amount > cap and finish > latest then refused, latest = i, finish end
  taken[i], ends[i] = used, finish
end
if lost then refused = -1 end
if refused == 0 then
  for i, key in ipairs(KEYS) do
    local part = ARGV[4 * i + 1]
    if tonumber(redis.call('HGET', key, 'w') or 0) ~= ends[i] then
      redis.call('UNLINK', key)
      redis.call('HSET', key, 'w', text(ends[i]))
      if part ~= '' then redis.call('HSET', key, 'e', lives[i]) end
      if part == '' then redis.call('PEXPIREAT', key, text(ends[i])) end
    end
    taken[i] = redis.call('HINCRBY', key, 'n' .. part, ARGV[4 * i - 1])
    if part ~= '' then redis.call('PEXPIRE', key, ARGV[#ARGV]) end
  end
end
local out = {refused, text(now)}
for i in ipairs(KEYS) do
  out[#out + 1] = text(taken[i])
  out[#out + 1] = text(ends[i])
  out[#out + 1] = lives[i]
end
return out
"""
)

#: KEYS: a mark of this settlement, then a counter each. ARGV: how long the mark and a budget's
#: counts stay, then of each its part, the window's end, its life, what was used less what was
#: reserved, and what was used. Gives what each budget has spent; nothing where it was done before.
SETTLE: Final = """
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return {} end
local out = {}
for i = 2, #KEYS do
  local key, at = KEYS[i], 5 * (i - 2) + 3
  local part, finish, life = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local less, used = ARGV[at + 3], ARGV[at + 4]
  local found = redis.call('HMGET', key, 'w', 'e')
  local spent = ''
  if part == '' then
    if found[1] == finish then redis.call('HINCRBY', key, 'n', less) end
  else
    if not found[1] then  -- lost: whoever counts again adds to this
      redis.call('HSET', key, 'w', finish)
      redis.call('PEXPIRE', key, ARGV[2])
      found[1] = finish
    end
    if found[1] == finish then
      redis.call('HINCRBY', key, 'n' .. part, (found[2] == life) and less or used)
      spent = redis.call('HINCRBY', key, 's' .. part, used)
    end
  end
  out[#out + 1] = spent
end
return out
"""

#: KEYS: a budget. ARGV: time, window, its end, a new life, how long it stays, then parts and sums.
#: Gives 0 where that window is over.
LOAD: Final = (
    _TIME
    + _WINDOWS
    + """
local key, finish = KEYS[1], ARGV[3]
if text(window_end(ARGV[2], time())) ~= finish then return 0 end
local found = redis.call('HMGET', key, 'w', 'e')
if found[2] then return 1 end
if found[1] ~= finish then redis.call('UNLINK', key) end
redis.call('HSET', key, 'w', finish, 'e', ARGV[4])
for i = 6, #ARGV, 2 do
  redis.call('HINCRBY', key, 'n' .. ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', key, 's' .. ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', key, ARGV[5])
return 1
"""
)

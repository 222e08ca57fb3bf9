"""The state changes of tasks, each as one atomic step inside Redis (Lua, Redis 6 or later).

All times are by Redis' own clock, in seconds since the epoch, so that the processes' clocks need not agree.
"""

from __future__ import annotations

_NOW = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
"""

RESERVE = (
    _NOW
    + """
-- KEYS: active, reservations, recent, workers. ARGV: task id, capacity, seconds that the reservation lasts, prefix of
-- the leases' names. Returns {'reserved', ''}, {'no worker', ''} or {'full', mean seconds of the latest tasks}.
-- One step and no write for a refusal: under load nearly all are.
local living = false
for _, name in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  living = living or redis.call('EXISTS', ARGV[4] .. name) == 1
end
if not living then return {'no worker', ''} end
local taken = redis.call('ZCARD', KEYS[1]) + redis.call('ZCOUNT', KEYS[2], now, '+inf')
if taken < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[1])
  return {'reserved', ''}
end
local sum, times = 0, redis.call('LRANGE', KEYS[3], 0, -1)
for _, seconds in ipairs(times) do sum = sum + tonumber(seconds) end
return {'full', #times > 0 and tostring(sum / #times) or ''}
"""
)

RENEW = (
    _NOW
    + """
-- KEYS: reservations. ARGV: task id, seconds that the reservation lasts.
return redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), ARGV[1])
"""
)

BEGIN = """
-- KEYS: task, lease, workers. ARGV: attempt, worker, lease, milliseconds of the lease, time.
local task = redis.call('HMGET', KEYS[1], 'status', 'attempt')
if task[1] ~= 'PENDING' or task[2] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'status', 'PREPROCESSING', 'worker', ARGV[2])
-- One that was parked goes on with what it has begun.
local set = redis.call('HEXISTS', KEYS[1], 'parked') == 1 and 'HSETNX' or 'HSET'
redis.call(set, KEYS[1], 'started_at', ARGV[5])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
redis.call('SADD', KEYS[3], ARGV[2])
return 1
"""

PROGRESS = """
-- KEYS: task, lease, workers. ARGV: attempt, worker, lease, milliseconds of the lease, status, stage, fraction.
-- Every write reaches the disk before the answer, so nothing is written that need not be.
if redis.call('PTTL', KEYS[2]) < ARGV[4] * 0.7 then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
  redis.call('SADD', KEYS[3], ARGV[2])
end
local task = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'worker')
if not task[1] or task[1] == 'CANCELLED' then return 'cancelled' end
if task[2] ~= ARGV[1] or task[3] ~= ARGV[2] or task[1] == 'COMPLETE' or task[1] == 'FAILED' then
  return 'superseded'
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'status', ARGV[5], 'stage', ARGV[6], 'progress', ARGV[7])
end
return 'current'
"""

COMMIT = (
    _NOW
    + """
-- KEYS: task, active, ended, counters, recent.
-- ARGV: task id, attempt or '*', token, processing seconds or '', number of fields, the fields with their values,
-- then counters with their increments.
local task = redis.call('HMGET', KEYS[1], 'status', 'attempt', 'token')
if not task[1] then return 'gone' end
if task[3] == ARGV[3] then return 'committed' end
if task[1] == 'COMPLETE' or task[1] == 'FAILED' or task[1] == 'CANCELLED' then return 'refused' end
if ARGV[2] ~= '*' and task[2] ~= ARGV[2] then return 'refused' end
redis.call('HSET', KEYS[1], 'token', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'commits', 1)
local first = 6
for i = first, first + 2 * ARGV[5] - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = first + 2 * ARGV[5], #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[4], ARGV[i], ARGV[i + 1]) end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
if ARGV[4] ~= '' then
  redis.call('LPUSH', KEYS[5], ARGV[4])
  redis.call('LTRIM', KEYS[5], 0, 19)
end
return 'committed'
"""
)

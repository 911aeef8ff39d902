-- How calls ended. A result counts once, while its call holds its place, and in the epoch in which it was let through.
--
-- ARGV[3…]   in pairs: 'EPOCH SAID LATENCY_MS OPERATION…' and the ids of calls that ended so, in the order in which they
--            did. Of the operations the first is the calls' own; their permits are given back in all of those named.
--            LATENCY_MS is the mean.
--
-- Returns the states.

local function count(breaker, said)
    local window = breaker.window
    local bucket = window[#window]
    if not bucket or bucket.number ~= bucket_now then
        bucket = { number = bucket_now, calls = 0, failed = 0, unknown = 0 }
        window[#window + 1] = bucket
    end
    for _, counts in ipairs({ bucket, breaker }) do
        counts.calls = counts.calls + 1
        counts.failed = counts.failed + (said == 'success' and 0 or 1)
        counts.unknown = counts.unknown + (said == 'unknown' and 1 or 0)
    end
end

local function record(breaker, said)
    local succeeded = said == 'success'
    breaker.changed = true
    breaker.health = breaker.health + ((succeeded and 1 or 0) - breaker.health) * CALL_WEIGHT
    if breaker.state == 'HALF_OPEN' then
        breaker.successes = breaker.successes + (succeeded and 1 or 0)
        if not succeeded then
            move(breaker, 'probe_failed')
        elseif breaker.successes >= limits.successes_to_close then
            move(breaker, 'proved')
        end
        return
    end
    breaker.failures = succeeded and 0 or breaker.failures + 1
    count(breaker, said)
    local rate = limits.failure_rate * (1 - limits.tighten * (1 - breaker.health))
    if breaker.failures >= limits.consecutive_failures
        or (breaker.calls >= limits.failure_min_calls and breaker.failed / breaker.calls >= rate)
        or (breaker.calls >= limits.unknown_min_calls and breaker.unknown / breaker.calls > limits.unknown_rate) then
        move(breaker, 'tripped')
    end
end

local lanes = {}
-- The last ten calls or so make the mean by which `admit` spaces those that don't fit.
local function took(lane, latency_ms, calls)
    local mean = lanes[lane] or tonumber(redis.call('HGET', lane, 'latency_ms') or latency_ms)
    lanes[lane] = latency_ms + (mean - latency_ms) * 0.9 ^ calls
end

for pair = 3, #ARGV, 2 do
    local head, ids = words(ARGV[pair]), words(ARGV[pair + 1])
    local epoch, said, operation = tonumber(head[1]), head[2], head[4]
    local counted = redis.call('ZREM', prefix .. ':' .. operation .. ':out', unpack(ids))
    for i = 4, #head do
        redis.call('ZREM', prefix .. ':' .. head[i] .. ':probes', unpack(ids))
    end
    if counted > 0 and said ~= 'nothing' then
        took(lane_of(operation), tonumber(head[3]), counted)
        local breaker = breaker_of(operation)
        while counted > 0 and breaker.epoch == epoch and breaker.state ~= 'OPEN' do
            record(breaker, said)
            counted = counted - 1
        end
    end
end

for lane, latency_ms in pairs(lanes) do
    redis.call('HSET', lane, 'latency_ms', string.format('%.3f', latency_ms))
    redis.call('PEXPIRE', lane, KEPT_MS)
end
keep_changes()
return states()

-- What the scripts of the gates share: one breaker, read and moved as in resilience/breaker.py. Before it stand NEXT (the
-- table of transitions), OPERATIONS and the constants of breaker.py.
--
-- KEYS[1]  aegis:gate:GATEWAY
-- ARGV[1]  the gateway's BreakerLimits, as JSON
-- ARGV[2]  a number drawn from -1 to 1 for the jitter: Redis gives each run of a script the same random numbers
--
-- aegis:gate:GATEWAY:OPERATION         HASH  the breaker
-- aegis:gate:GATEWAY:OPERATION:out     ZSET  calls in flight by operation id, until when their places are held
-- aegis:gate:GATEWAY:OPERATION:probes  ZSET  probes out by operation id, until when their permits are
-- aegis:gate:GATEWAY:calls, :lookups   HASH  mean latency, and when the next call, the next probe will fit in
-- aegis:gate:GATEWAY:pace              HASH  when the next call would be due, and until when the last one waits

local prefix, limits, draw = KEYS[1], cjson.decode(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local bucket_now = math.floor(now / (limits.window_s * 1000 / BUCKETS))
-- A breaker that nobody asks about is forgotten after a day.
local KEPT_MS = 86400000

local touched = {}

local function words(text)
    local found = {}
    for word in string.gmatch(text, '%S+') do
        found[#found + 1] = word
    end
    return found
end

local function read_window(text)
    local window = {}
    for number, calls, failed, unknown in string.gmatch(text, '(%d+):(%d+):(%d+):(%d+)') do
        if tonumber(number) > bucket_now - BUCKETS then
            window[#window + 1] = {
                number = tonumber(number),
                calls = tonumber(calls),
                failed = tonumber(failed),
                unknown = tonumber(unknown),
            }
        end
    end
    return window
end

local function written_window(window)
    local parts = {}
    for i, bucket in ipairs(window) do
        parts[i] = string.format('%d:%d:%d:%d', bucket.number, bucket.calls, bucket.failed, bucket.unknown)
    end
    return table.concat(parts, ' ')
end

local function totals(window)
    local calls, failed, unknown = 0, 0, 0
    for _, bucket in ipairs(window) do
        calls, failed, unknown = calls + bucket.calls, failed + bucket.failed, unknown + bucket.unknown
    end
    return calls, failed, unknown
end

local function breaker_of(operation)
    if touched[operation] then
        return touched[operation]
    end
    local key = prefix .. ':' .. operation
    local kept = redis.call('HMGET', key, 'state', 'epoch', 'until_ms', 'failures', 'successes', 'doublings',
        'opened', 'health', 'closed_ms', 'window')
    local breaker = {
        key = key,
        operation = operation,
        state = kept[1] or 'CLOSED',
        epoch = tonumber(kept[2] or 0),
        until_ms = tonumber(kept[3] or 0),
        failures = tonumber(kept[4] or 0),
        successes = tonumber(kept[5] or 0),
        doublings = tonumber(kept[6] or 0),
        opened = tonumber(kept[7] or 0),
        health = tonumber(kept[8] or 1),
        closed_ms = tonumber(kept[9] or 0),
        window = read_window(kept[10] or ''),
        changed = false,
    }
    breaker.calls, breaker.failed, breaker.unknown = totals(breaker.window)
    touched[operation] = breaker
    touched[#touched + 1] = breaker
    return breaker
end

local function move(breaker, event)
    breaker.state = NEXT[breaker.state .. ' ' .. event]
    breaker.epoch = breaker.epoch + 1
    breaker.successes = 0
    breaker.changed = true
    redis.call('DEL', breaker.key .. ':probes')
    if breaker.state == 'OPEN' then
        if event == 'probe_failed' then
            breaker.doublings = math.min(breaker.doublings + 1, MOST_DOUBLINGS)
        elseif now - breaker.closed_ms >= CALM * limits.open_s * 1000 then
            breaker.doublings = 0
        end
        local open_s = math.min(limits.open_s * 2 ^ breaker.doublings, limits.max_open_s)
        breaker.until_ms = now + math.floor(open_s * 1000 * (1 + limits.open_jitter * draw))
        breaker.opened = breaker.opened + 1
    elseif breaker.state == 'CLOSED' then
        breaker.failures, breaker.window, breaker.closed_ms = 0, {}, now
        breaker.calls, breaker.failed, breaker.unknown = 0, 0, 0
    end
end

local function keep_changes()
    for _, breaker in ipairs(touched) do
        if breaker.changed then
            redis.call('HSET', breaker.key, 'state', breaker.state, 'epoch', breaker.epoch,
                'until_ms', string.format('%.0f', breaker.until_ms), 'failures', breaker.failures,
                'successes', breaker.successes, 'doublings', breaker.doublings, 'opened', breaker.opened,
                'health', string.format('%.17g', breaker.health),
                'closed_ms', string.format('%.0f', breaker.closed_ms), 'window', written_window(breaker.window))
            redis.call('PEXPIRE', breaker.key, KEPT_MS)
        end
    end
end

-- 'OPERATION STATE EPOCH DOUBLINGS RETRY_IN_MS' for each breaker that was looked at.
local function states()
    local lines = {}
    for i, breaker in ipairs(touched) do
        local wait_ms = breaker.state == 'OPEN' and math.max(0, breaker.until_ms - now) or 0
        lines[i] = table.concat({ breaker.operation, breaker.state, breaker.epoch, breaker.doublings,
            string.format('%.0f', wait_ms) }, ' ')
    end
    return lines
end

local function lane_of(operation)
    return prefix .. (operation == STATUS and ':lookups' or ':calls')
end

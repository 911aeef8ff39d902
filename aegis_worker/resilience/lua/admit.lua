-- Which calls may go out now. Safe to repeat: who holds a place or a permit keeps it, for longer.
--
-- ARGV[3]    for how many ms a place is held
-- ARGV[4]    how many calls may be out at once in a lane, 0 for any number
-- ARGV[5]    how many calls may leave in a second, 0 for any number
-- ARGV[6…]   in pairs: the operations of calls, 'initiate authenticate process', and the calls' ids
--
-- Returns for each pair: a letter a call (g granted, b breaker open, p no probe permit free, l no place free, r too many in
-- this second); the epoch of the first operation's breaker; after how many ms to ask again, for each call refused. At last
-- the states.

local place_ms, most, per_s = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local TYPICAL_MS = 250
local LANES = { [prefix .. ':calls'] = CALLS, [prefix .. ':lookups'] = { STATUS } }

local used = {}
local function places_used(lane)
    if not used[lane] then
        used[lane] = 0
        for _, operation in ipairs(LANES[lane]) do
            local key = prefix .. ':' .. operation .. ':out'
            redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
            used[lane] = used[lane] + redis.call('ZCARD', key)
        end
    end
    return used[lane]
end

-- How long ago the last one of these was let in.
local function quiet_ms(key, held_ms)
    local newest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
    return newest and math.max(0, now - (tonumber(newest) - held_ms)) or LONGEST_WAIT_MS
end

local function lane_quiet_ms(lane)
    local least_ms = LONGEST_WAIT_MS
    for _, operation in ipairs(LANES[lane]) do
        least_ms = math.min(least_ms, quiet_ms(prefix .. ':' .. operation .. ':out', place_ms))
    end
    return least_ms
end

local queues = {}
-- When the next call will fit in, if calls leave one after the other at the rate at which `at_once` of them are made; where
-- none was let in for `quiet` ms, they hang, and not before as long again: whoever waits asks ever less often. `tail` is
-- 'next_ms' or 'probe_ms': who waited for a probe leaves no queue for places behind.
local function wait_ms(lane, tail, at_once, quiet)
    local queue = queues[lane]
    if not queue then
        local kept = redis.call('HMGET', lane, 'next_ms', 'probe_ms', 'latency_ms')
        queue = { next_ms = tonumber(kept[1] or 0), probe_ms = tonumber(kept[2] or 0) }
        queue.latency_ms = tonumber(kept[3] or TYPICAL_MS)
        queues[lane] = queue
    end
    queue[tail] = math.min(math.max(now, queue[tail]) + queue.latency_ms / at_once, now + LONGEST_WAIT_MS)
    return math.ceil(math.min(math.max(queue[tail] - now, quiet), LONGEST_WAIT_MS))
end

-- Calls leave at a pace, as in resilience/pace.py: 0 where one may leave now, and then it has left.
local pace
local function pace_wait_ms()
    if not pace then
        local kept = redis.call('HMGET', prefix .. ':pace', 'next_ms', 'last_waits_until_ms')
        pace = { next_ms = tonumber(kept[1] or 0), last_waits_until_ms = tonumber(kept[2] or 0) }
    end
    local opens_ms = pace.next_ms - BURST_MS
    if opens_ms <= now then
        pace.next_ms = math.max(pace.next_ms, now) + 1000 / per_s
        return 0
    end
    local after_ms = math.max(opens_ms, pace.last_waits_until_ms) + 1000 / per_s
    pace.last_waits_until_ms = math.min(after_ms, now + LONGEST_WAIT_MS)
    return pace.last_waits_until_ms - now
end

local function ripened(operation)
    local breaker = breaker_of(operation)
    if breaker.state == 'OPEN' and breaker.until_ms <= now then
        move(breaker, 'time_up')
    end
    if breaker.state == 'HALF_OPEN' and not breaker.probes_free then
        local key = breaker.key .. ':probes'
        redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
        local in_all = math.max(limits.probes, limits.successes_to_close)
        breaker.probes_free = math.min(limits.probes, in_all - breaker.successes) - redis.call('ZCARD', key)
    end
    return breaker
end

-- A call takes a permit of each half-open breaker or of none: the first breaker that has none for call number i.
local function without_permit(probing, held, i)
    for n, breaker in ipairs(probing) do
        if not held[n][i] and breaker.probes_free <= 0 then
            return breaker
        end
    end
end

local reply = {}
for pair = 6, #ARGV, 2 do
    local operations, ids = words(ARGV[pair]), words(ARGV[pair + 1])
    local places, lane = prefix .. ':' .. operations[1] .. ':out', lane_of(operations[1])
    local blocked_ms, probing, held = -1, {}, {}
    for _, operation in ipairs(operations) do
        local breaker = ripened(operation)
        if breaker.state == 'OPEN' then
            blocked_ms = math.max(blocked_ms, breaker.until_ms - now)
        elseif breaker.state == 'HALF_OPEN' then
            probing[#probing + 1] = breaker
            held[#probing] = redis.call('ZMSCORE', breaker.key .. ':probes', unpack(ids))
        end
    end
    local mine = (most > 0 or per_s > 0) and redis.call('ZMSCORE', places, unpack(ids)) or {}
    local letters, waits, granted = {}, {}, {}
    for i, id in ipairs(ids) do
        local lacking, paced_ms = without_permit(probing, held, i), 0
        if blocked_ms >= 0 then
            letters[i] = 'b'
            waits[#waits + 1] = string.format('%.0f', blocked_ms)
        elseif lacking then
            letters[i] = 'p'
            local quiet = quiet_ms(lacking.key .. ':probes', limits.probe_s * 1000)
            waits[#waits + 1] = string.format('%.0f', wait_ms(lane, 'probe_ms', limits.probes, quiet))
        elseif most > 0 and not mine[i] and places_used(lane) >= most then
            letters[i] = 'l'
            local quiet = #granted > 0 and 0 or lane_quiet_ms(lane)
            waits[#waits + 1] = string.format('%.0f', wait_ms(lane, 'next_ms', most, quiet))
        elseif per_s > 0 and not mine[i] then
            paced_ms = pace_wait_ms()
            letters[i] = paced_ms > 0 and 'r' or 'g'
            if paced_ms > 0 then
                waits[#waits + 1] = string.format('%.0f', math.ceil(paced_ms))
            end
        else
            letters[i] = 'g'
        end
        if letters[i] == 'g' then
            granted[#granted + 1] = now + place_ms
            granted[#granted + 1] = id
            if most > 0 and not mine[i] then
                used[lane] = used[lane] + 1
            end
            for n, breaker in ipairs(probing) do
                if not held[n][i] then
                    breaker.probes_free = breaker.probes_free - 1
                end
                redis.call('ZADD', breaker.key .. ':probes', now + limits.probe_s * 1000, id)
                redis.call('PEXPIRE', breaker.key .. ':probes', math.ceil(limits.probe_s * 1000))
            end
        end
    end
    if #granted > 0 then
        redis.call('ZREMRANGEBYSCORE', places, '-inf', now)
        redis.call('ZADD', places, unpack(granted))
        redis.call('PEXPIRE', places, place_ms)
    end
    reply[#reply + 1] = table.concat(letters)
    reply[#reply + 1] = breaker_of(operations[1]).epoch
    reply[#reply + 1] = table.concat(waits, ' ')
end

for lane, queue in pairs(queues) do
    redis.call('HSET', lane, 'next_ms', string.format('%.0f', queue.next_ms),
        'probe_ms', string.format('%.0f', queue.probe_ms))
    redis.call('PEXPIRE', lane, KEPT_MS)
end
if pace then
    redis.call('HSET', prefix .. ':pace', 'next_ms', string.format('%.3f', pace.next_ms),
        'last_waits_until_ms', string.format('%.3f', pace.last_waits_until_ms))
    redis.call('PEXPIRE', prefix .. ':pace', KEPT_MS)
end
keep_changes()
reply[#reply + 1] = states()
return reply

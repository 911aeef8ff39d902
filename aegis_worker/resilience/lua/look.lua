-- Every breaker of a gateway, changing nothing.
--
-- Returns for each operation 'OPERATION STATE EPOCH DOUBLINGS RETRY_IN_MS FAILURES CALLS FAILED UNKNOWN OPENED
-- PROBES OUT CLOSED_MS'.

local lines = {}
for i, operation in ipairs(OPERATIONS) do
    local breaker = breaker_of(operation)
    local wait_ms = breaker.state == 'OPEN' and math.max(0, breaker.until_ms - now) or 0
    lines[i] = table.concat({
        operation, breaker.state, breaker.epoch, breaker.doublings, string.format('%.0f', wait_ms),
        breaker.failures, breaker.calls, breaker.failed, breaker.unknown, breaker.opened,
        redis.call('ZCOUNT', breaker.key .. ':probes', '(' .. now, '+inf'),
        redis.call('ZCOUNT', breaker.key .. ':out', '(' .. now, '+inf'),
        string.format('%.0f', breaker.closed_ms),
    }, ' ')
end
return lines

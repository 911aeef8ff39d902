-- Counts payments, each once, and says what every counter then comes to. Safe to repeat: of a payment that was counted the
-- answers are kept, and given again.
--
-- KEYS[1]  what every key begins with
-- ARGV[1]  JSON: {counters, payments, keep_ms, most_entries, most_kept}
--          counters: [[id, what, step_ms, most or -1, cards]]
--          payments: [[id, number of its shelf, [[number of the counter, subject, add, card]]]]
--
-- Keys: `PREFIX{counter}:{step}`, a hash of subjects with what they come to in that step (of cards: their names), and
-- `PREFIXkept:{shelf}`, a hash of payments with what they were answered. Each has an end.
-- Returns the time in ms, then an answer for every ask: the number, -1 where the counter is full, -2 where the shelf is.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local given = cjson.decode(ARGV[1])
local FULL, SHELF_FULL = -1, -2

local counters = {}
for i, line in ipairs(given.counters) do
    local counter = { id = line[1], what = line[2], step_ms = line[3], most = line[4], cards = line[5], keys = {} }
    local step = math.floor(now / counter.step_ms)
    for back = 0, STEPS do
        counter.keys[back] = KEYS[1] .. counter.id .. ':' .. (step - back)
    end
    -- What is counted now is looked at until the last window that it belongs to is over.
    counter.ends_ms = (step + STEPS + 1) * counter.step_ms - now + 1000
    counters[i] = counter
end

local function entries(counter)
    if not counter.entries then
        counter.entries = 0
        for back = 0, STEPS do
            counter.entries = counter.entries + redis.call('HLEN', counter.keys[back])
        end
    end
    return counter.entries
end

-- Write what the subject comes to in this step; false where it is a new name and the counter is full.
local function write(counter, subject, held, value)
    if not held then
        if entries(counter) >= given.most_entries then
            return false
        end
        counter.entries = counter.entries + 1
    end
    redis.call('HSET', counter.keys[0], subject, value)
    redis.call('PEXPIRE', counter.keys[0], counter.ends_ms)
    return true
end

local function number(counter, subject, add)
    local total, here = add, redis.call('HGET', counter.keys[0], subject)
    for back = 0, STEPS do
        local held = back == 0 and here or back > 0 and redis.call('HGET', counter.keys[back], subject)
        total = total + (held and tonumber(held) or 0)
    end
    total = math.min(total, LARGEST)
    if counter.most >= 0 and total > counter.most then
        return total
    end
    local value = math.min((here and tonumber(here) or 0) + add, LARGEST)
    return write(counter, subject, here, string.format('%.0f', value)) and total or FULL
end

local function different(counter, subject, card)
    local seen, total = { [card] = true }, 1
    local here, here_count, is_here = redis.call('HGET', counter.keys[0], subject), 0, false
    for back = 0, STEPS do
        local held = back == 0 and here or back > 0 and redis.call('HGET', counter.keys[back], subject)
        for name in string.gmatch(held or '', '%S+') do
            if back == 0 then
                here_count, is_here = here_count + 1, is_here or name == card
            end
            if not seen[name] then
                seen[name], total = true, total + 1
            end
        end
    end
    total = math.min(total, counter.cards)
    -- Once a step holds as many as are told apart, more of them change no answer.
    if is_here or here_count >= counter.cards or (counter.most >= 0 and total > counter.most) then
        return total
    end
    return write(counter, subject, here, here and here .. ' ' .. card or card) and total or FULL
end

local function answered(kept)
    local answers = {}
    for id, value in string.gmatch(kept or '', '(%w+)=(%d+)') do
        answers[id] = tonumber(value)
    end
    return answers
end

local reply = { now }
for _, payment in ipairs(given.payments) do
    local id, shelf = payment[1], KEYS[1] .. 'kept:' .. string.format('%.0f', payment[2])
    local kept = redis.call('HGET', shelf, id)
    local known, added = answered(kept), {}
    local room = kept or redis.call('HLEN', shelf) < given.most_kept
    for _, ask in ipairs(payment[3]) do
        local counter = counters[ask[1]]
        local value = known[counter.id]
        if not value and not room then
            value = SHELF_FULL
        elseif not value then
            if counter.what == 'cards' then
                value = different(counter, ask[2], ask[4])
            else
                value = number(counter, ask[2], ask[3])
            end
            if value >= 0 then
                added[#added + 1] = counter.id .. '=' .. string.format('%.0f', value)
            end
        end
        reply[#reply + 1] = value
    end
    if #added > 0 then
        redis.call('HSET', shelf, id, (kept and kept .. ' ' or '') .. table.concat(added, ' '))
        redis.call('PEXPIRE', shelf, given.keep_ms)
    end
end
return reply

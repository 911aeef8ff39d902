-- Counts payments, each once, and says what every counter then comes to. Safe to repeat: of a payment that was counted the
-- answers are kept, and given again.
--
-- KEYS[1]  what every key begins with
-- ARGV[1]  JSON: {counters, payments, keep_ms, most_entries, most_kept}
--          counters: [[id, what, step_ms, most or -1, cards]]
--          payments: [[id, number of its shelf, [[number of the counter, subject, add, card]]]], where `add` 0 counts nothing
--          and only asks; an id is a payment's, or that of a call of it
--
-- Keys: `PREFIX{counter}:{turn}`, a hash of subjects, each with what it came to in the steps of its window,
-- "step:number step:number …" (of cards: "step:card …", each card once, the latest last). A subject stands in the turn in
-- which it was written last; a turn is as long as a window, so this one and the one before hold all that counts.
-- `PREFIXkept:{shelf}`, a hash of payments with what they were answered. Each key has an end.
-- Returns the time in ms, then an answer for every ask: the number, -1 where the counter is full, -2 where the shelf is.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local given = cjson.decode(ARGV[1])
local FULL, SHELF_FULL = -1, -2

local counters = {}
for i, line in ipairs(given.counters) do
    local counter = { id = line[1], what = line[2], most = line[4], cards = line[5] }
    counter.step = math.floor(now / line[3])
    local turn = math.floor(counter.step / (STEPS + 1))
    counter.key = KEYS[1] .. counter.id .. ':' .. turn
    counter.key_before = KEYS[1] .. counter.id .. ':' .. (turn - 1)
    -- What is written now is looked at until the next turn is over.
    counter.ends_ms = (turn + 2) * (STEPS + 1) * line[3] - now + 1000
    counters[i] = counter
end

-- What is held of the subject in the steps that still count, as pairs of step and value, and where all of it stands.
local function held(counter, subject)
    local pairs_held, text = {}, redis.call('HGET', counter.key, subject)
    local where = text and counter.key
    if not text then
        text = redis.call('HGET', counter.key_before, subject)
        where = text and counter.key_before
    end
    for step, value in string.gmatch(text or '', '(%d+):(%S+)') do
        if tonumber(step) >= counter.step - STEPS then
            pairs_held[#pairs_held + 1] = { step, value }
        end
    end
    return pairs_held, where
end

local function is_full(counter)
    counter.entries = counter.entries or redis.call('HLEN', counter.key) + redis.call('HLEN', counter.key_before)
    return counter.entries >= given.most_entries
end

-- Write what is held of the subject; false where it is a new name and the counter is full.
local function write(counter, subject, pairs_held, where)
    if not where then
        if is_full(counter) then
            return false
        end
        counter.entries = counter.entries + 1
    end
    local words = {}
    for i, pair in ipairs(pairs_held) do
        words[i] = pair[1] .. ':' .. pair[2]
    end
    redis.call('HSET', counter.key, subject, table.concat(words, ' '))
    if where == counter.key_before then
        redis.call('HDEL', counter.key_before, subject)
    end
    if not counter.has_end then
        redis.call('PEXPIRE', counter.key, counter.ends_ms)
        counter.has_end = true
    end
    return true
end

local function number(counter, subject, add)
    local pairs_held, where = held(counter, subject)
    local total, step = add, string.format('%.0f', counter.step)
    for _, pair in ipairs(pairs_held) do
        total = total + tonumber(pair[2])
    end
    total = math.min(total, LARGEST)
    if add == 0 then
        -- A name that the full counter did not take may have been counted, had there been room.
        return (where or not is_full(counter)) and total or FULL
    end
    if counter.most >= 0 and total > counter.most then
        return total
    end
    local last = pairs_held[#pairs_held]
    if last and last[1] == step then
        last[2] = string.format('%.0f', math.min(tonumber(last[2]) + add, LARGEST))
    else
        pairs_held[#pairs_held + 1] = { step, string.format('%.0f', add) }
    end
    return write(counter, subject, pairs_held, where) and total or FULL
end

local function different(counter, subject, card)
    local pairs_held, where = held(counter, subject)
    for i, pair in ipairs(pairs_held) do
        if pair[2] == card then
            table.remove(pairs_held, i)
            break
        end
    end
    pairs_held[#pairs_held + 1] = { string.format('%.0f', counter.step), card }
    local total = math.min(#pairs_held, counter.cards)
    if counter.most >= 0 and total > counter.most then
        return total
    end
    -- More cards than are told apart change no answer: the one that was seen longest ago leaves the window first.
    if #pairs_held > counter.cards then
        table.remove(pairs_held, 1)
    end
    return write(counter, subject, pairs_held, where) and total or FULL
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

-- Reads, chooses among the candidates and records, in one step, by Redis' clock.
-- KEYS[1]: the group. KEYS[2]: when the last calls of all members were over. ARGV[1]: what is asked.
-- The choice is that of src/groups/order.rs, and a test compares the two.
--
-- The group is a hash: n counts turns and offers; t: o: e: k: with a member's key are the numbers of his last
-- turn and offer, the end of his last answered call, and that he is known. His calls are a sorted set.
local op, row, any = ARGV[1], KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function number()
  return redis.call('HINCRBY', row, 'n', 1)
end

local function mark(field, key)
  redis.call('HSET', row, field .. key, number(), 'k:' .. key, 1)
end

local function calls_of(key)
  return row .. ':calls:' .. key
end

if op == 'took' then
  -- How many takers, the takers, whom it was offered to.
  local takers = tonumber(ARGV[2])
  for at = 3, #ARGV do
    mark(at - 2 <= takers and 't:' or 'o:', ARGV[at])
  end
  return {}
end

if op == 'offered' then
  mark('o:', ARGV[2])
  return {}
end

if op == 'answered' then
  -- The member and the window.
  local key, window = ARGV[2], tonumber(ARGV[3])
  local calls = calls_of(key)
  redis.call('ZREMRANGEBYSCORE', calls, '-inf', now - window)
  redis.call('ZADD', calls, now, number())
  redis.call('PEXPIRE', calls, window)
  redis.call('HSET', row, 'k:' .. key, 1)
  return {}
end

if op == 'ended' then
  -- The member, and whether the group had rung for the call.
  redis.call('HSET', any, ARGV[2], now)
  if ARGV[3] == '1' then
    redis.call('HSET', row, 'e:' .. ARGV[2], now, 'k:' .. ARGV[2], 1)
  end
  return {}
end

-- look, take: the order, how many a stage has, how many of them take the turn, the window, whether any call
-- ends the idle time; then for each member key, tier, may be rung, talks.
local order, size, taking = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local window, by_any = tonumber(ARGV[5]), ARGV[6] == '1'
local members, newcomers, least = {}, {}, nil
for at = 7, #ARGV, 4 do
  local key = ARGV[at]
  local got = redis.call('HMGET', row, 't:' .. key, 'o:' .. key, 'e:' .. key, 'k:' .. key)
  local it = {
    key = key, place = #members, tier = tonumber(ARGV[at + 1]),
    free = ARGV[at + 2] == '1', talks = tonumber(ARGV[at + 3]),
    turn = tonumber(got[1] or 0), offer = tonumber(got[2] or 0),
    ended = tonumber(got[3] or -1), calls = 0,
  }
  if by_any then
    it.ended = tonumber(redis.call('HGET', any, key) or -1)
  end
  if order == 'fewest-calls' then
    it.calls = redis.call('ZCOUNT', calls_of(key), '(' .. (now - window), '+inf')
  end
  if not got[4] then
    newcomers[#newcomers + 1] = it
  elseif not least or it.calls < least.calls then
    least = it
  end
  members[#members + 1] = it
end
for _, it in ipairs(newcomers) do
  it.calls = least and least.calls or 0
end

local answer = {}
for _, it in ipairs(members) do
  answer[#answer + 1] = it.turn
  answer[#answer + 1] = it.offer
  answer[#answer + 1] = it.ended
  answer[#answer + 1] = it.calls
end
if op == 'look' then
  return answer
end

local tier
for _, it in ipairs(members) do
  if it.free and (not tier or it.tier < tier) then
    tier = it.tier
  end
end
local last
for _, it in ipairs(members) do
  if it.tier == tier and it.turn > 0 and (not last or it.turn >= last.turn) then
    last = it
  end
end
local candidates = {}
for _, it in ipairs(members) do
  if it.free and it.tier == tier then
    candidates[#candidates + 1] = it
    -- Those up to whoever had the last turn come after the others.
    it.around = order == 'rotate' and last and it.place <= last.place and 1 or 0
  end
end
local keys = {
  ['rotate'] = { 'around' },
  ['longest-idle'] = { 'talks', 'ended', 'offer' },
  ['fewest-calls'] = { 'calls', 'offer' },
}
local by = keys[order] or {}
table.sort(candidates, function(one, other)
  for _, what in ipairs(by) do
    if one[what] ~= other[what] then
      return one[what] < other[what]
    end
  end
  return one.place < other.place
end)
for _, it in ipairs(newcomers) do
  if order == 'fewest-calls' and least then
    redis.call('ZUNIONSTORE', calls_of(it.key), 1, calls_of(least.key))
    redis.call('PEXPIRE', calls_of(it.key), window)
  end
  redis.call('HSET', row, 'k:' .. it.key, 1)
end
local first = math.min(size, #candidates)
for at = 1, math.min(first, taking) do
  mark('t:', candidates[at].key)
end
for at = 1, first do
  mark('o:', candidates[at].key)
end
return answer

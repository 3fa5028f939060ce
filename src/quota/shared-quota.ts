/**
 * One quota for all instances: one number of calls a second and a day among them, in turns that are fair between the teams
 * wherever their demands wait. Redis gives the turns; each instance keeps its own queue.
 *
 * The turns are those of start-time fair queueing, as in one instance: every instance that asks tells what waits there,
 * and the turn goes to the flow with the lowest start tag of all. If that one waits elsewhere, its instance is told.
 */
import { z } from 'zod';
import type { Redis, Script } from '../redis/redis.ts';
import type { TeamCalls, TeamPart } from './day-shares.ts';
import { othersMs } from './second-limit.ts';

/** What waits in one instance for one flow. */
export interface WaitingFlow {
  readonly name: string;
  readonly weight: number;
  readonly waiting: number;
  /** Calls of the day that it must leave to others. */
  readonly kept: number;
}

/** The day's calls by team, as an instance knows them. */
export interface DayReport {
  /** Number of the day since 1970-01-01 UTC. */
  readonly day: number;
  /** What is left of it: 1 at its start, 0 at its end. */
  readonly rest: number;
  /** `own`: calls that this instance has made itself; `known`: the highest count of all that was heard of. */
  readonly teams: readonly { readonly team: string; readonly own: number; readonly known: number }[];
}

export interface Question {
  readonly flows: readonly WaitingFlow[];
  readonly perSecond: number;
  readonly day: DayReport;
  /** Milliseconds until this instance could call if it were alone, within its part of the whole. */
  readonly aloneMs: number;
}

export type Ruling = {
  /** The day's calls of all instances. */
  readonly teams: readonly TeamCalls[];
} & (
  | { readonly kind: 'granted'; readonly flow: string; readonly call: string }
  /** Nothing is free, or it is somebody else's turn. `elsewhere`: what waits in the other instances. */
  | { readonly kind: 'wait'; readonly ms: number; readonly elsewhere: readonly WaitingFlow[] }
);

/** A call that is under way, or has been lately. */
export interface Place {
  readonly call: string;
  /** Milliseconds until it counts no more. */
  readonly freeInMs: number;
}

/** So long after Redis has come back or was flushed, calls may count of which it does not know: nobody goes beyond its part then. */
const settleMs = 2_100;
/** A demand that has not been asked for again in this time is gone, with its instance. */
const goneMs = 2_000;
/** For how long a turn is kept for an instance that does not take it. */
const offerMs = 60;
const offerAgainMs = 20;
const lifeMs = { turns: 60_000, day: 172_800_000 };
/** Instances that have lost each other can overrun a day by a little; a count of this many days is not ours. */
const mostOverrun = 10;

/**
 * Keys: places, state, tags, waiting, calls, told. ARGV: channel, instance, and as JSON the report of the day (`day`,
 * `rest`, `teams`: team, own calls, known calls), the parts of the teams (team, part, cap) and the calls of a day.
 *
 * The day is shared as day-shares.ts does it. `calls` has of each team its calls (`c`), those of them that an instance is
 * still to tell (`r`), and what it keeps (`k`); `told` the calls that each instance has reported, by team.
 */
const prelude = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function tell(...) redis.call('PUBLISH', ARGV[1], cjson.encode({...})) end
  local function number(key, name) return tonumber(redis.call('HGET', key, name) or nil) end
  local function exact(value) return string.format('%.9f', value) end

  local report, parts, perDay = cjson.decode(ARGV[3]), {}, tonumber(ARGV[5])
  local today, rest = tonumber(report[1]), tonumber(report[2])
  local teams, used, changed = {}, 0, {}
  for _, part in ipairs(cjson.decode(ARGV[4])) do
    parts[part[1]] = {part = part[2], cap = part[3]}
    teams[part[1]] = {c = 0, r = 0, k = part[2]}
  end
  local function teamOf(name)
    if not teams[name] then teams[name] = {c = 0, r = 0, k = 0} end
    return teams[name]
  end
  local function kept(name)
    local team, part = teamOf(name), parts[name]
    if not part then return 0 end
    return math.max(0, math.min(team.k, part.part - team.c, part.cap - team.c, part.part * rest))
  end
  local function keptBut(name)
    local sum = 0
    for other in pairs(teams) do
      if other ~= name then sum = sum + math.floor(kept(other) + 0.5) end
    end
    return sum
  end
  local function left() return math.max(0, perDay - used) end
  local function missing() return math.max(0, keptBut(nil) - left()) end
  local function allows(name, reserve)
    if name == '' then return left() >= 1 end
    local cap = parts[name] and parts[name].cap - teamOf(name).c or left()
    return math.min(left() - reserve - keptBut(name), cap) >= 1
  end
  local function level()
    if missing() == 0 then return end
    local sum, all = 0, {}
    for name in pairs(teams) do
      all[name] = kept(name)
      sum = sum + all[name]
    end
    for name, keeps in pairs(all) do
      teams[name].k, changed[name] = keeps * left() / sum, true
    end
  end
  local function add(name, calls)
    local team = teamOf(name)
    team.c, used, changed[name] = math.max(0, team.c + calls), math.max(0, used + calls), true
    if calls < 0 then team.k = team.k - calls end
    if calls > 0 and name ~= '' then team.k = math.max(0, kept(name) - missing()) end
    level()
  end

  local day = number(KEYS[5], 'day') or 0
  if today > day then
    redis.call('DEL', KEYS[5], KEYS[6])
    redis.call('HSET', KEYS[5], 'day', today)
    day = today
  end
  local stored = redis.call('HGETALL', KEYS[5])
  for i = 1, #stored, 2 do
    local kind, name, value = string.sub(stored[i], 1, 2), string.sub(stored[i], 3), tonumber(stored[i + 1])
    -- A count that cannot be is none: the instances tell theirs again.
    local isSane = value and value >= 0 and value <= ${mostOverrun} * (perDay + 1)
    if isSane and (kind == 'c:' or kind == 'r:' or kind == 'k:') then
      teamOf(name)[string.sub(kind, 1, 1)] = value
      if kind == 'c:' then used = used + value end
    end
  end
  local function count(name, calls)
    local key = ARGV[2] .. ' ' .. name
    add(name, calls)
    redis.call('HSET', KEYS[6], key, (number(KEYS[6], key) or 0) + calls)
  end
  if today == day then
    for _, one in ipairs(report[3]) do
      local name, own, known = one[1], one[2], one[3]
      -- Calls that are new; after a flush, those that other instances have already reported are not.
      local team = teamOf(name)
      local new = math.max(0, own - (number(KEYS[6], ARGV[2] .. ' ' .. name) or 0))
      local covered = math.min(team.r, new)
      if new > 0 then
        team.r, changed[name] = team.r - covered, true
        count(name, new - covered)
        redis.call('HINCRBY', KEYS[6], ARGV[2] .. ' ' .. name, covered)
      end
      if known > team.c then
        team.r = team.r + known - team.c
        add(name, known - team.c)
      end
    end
  end
  local function state()
    local all = {}
    for name in pairs(changed) do
      local team = teams[name]
      redis.call('HSET', KEYS[5], 'c:' .. name, string.format('%.0f', team.c), 'r:' .. name, string.format('%.0f', team.r),
        'k:' .. name, exact(team.k))
    end
    for name, team in pairs(teams) do
      if team.c > 0 or team.k < (parts[name] and parts[name].part or 0) then all[#all + 1] = {name, team.c, team.k} end
    end
    redis.call('PEXPIRE', KEYS[5], ${lifeMs.day})
    redis.call('PEXPIRE', KEYS[6], ${lifeMs.day})
    return #all > 0 and cjson.encode(all) or '[]'
  end
  local function live() for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ${lifeMs.turns}) end end
`;

/** ARGV further: limit, hold, call, flows, wait if alone. */
const take: Script = {
  name: 'sendgateTake',
  keys: 6,
  lua: `${prelude}
    local me, limit = ARGV[2], tonumber(ARGV[6])
    local since = number(KEYS[2], 'since')
    if not since then
      since = now
      redis.call('HSET', KEYS[2], 'since', now, 'lost', now)
    end
    local own = cjson.decode(ARGV[9])
    local alone = now - since < ${settleMs} and tonumber(ARGV[10]) or 0
    if #own > 0 and alone == 0 then
      redis.call('HSET', KEYS[4], me, now .. ' ' .. ARGV[9])
    else
      redis.call('HDEL', KEYS[4], me)
    end
    local lost = now - (number(KEYS[2], 'lost') or 0)
    if lost < ${othersMs} then alone = ${othersMs} - lost end
    if alone > 0 then return {'wait', state(), alone, '[]', ''} end

    local virtual = number(KEYS[2], 'virtual') or 0
    local elsewhere, first, mine = {}, nil, nil
    local function areFlows(flows)
      if type(flows) ~= 'table' then return false end
      for _, flow in pairs(flows) do
        if type(flow) ~= 'table' or type(flow[1]) ~= 'string' then return false end
        for n = 2, 4 do if type(flow[n]) ~= 'number' then return false end end
        if flow[2] <= 0 then return false end
      end
      return true
    end
    local all = redis.call('HGETALL', KEYS[4])
    for i = 1, #all, 2 do
      local at, text = string.match(all[i + 1], '^(%d+) (.*)$')
      local isFlows, flows = pcall(cjson.decode, text)
      if not at or not isFlows or not areFlows(flows) or now - at > ${goneMs} then
        redis.call('HDEL', KEYS[4], all[i])
      else
        for _, flow in ipairs(flows) do
          if all[i] ~= me then elsewhere[#elsewhere + 1] = flow end
          if allows(string.match(flow[1], '^%S+ (.*)$') or '', flow[4]) then
            local start = math.max(number(KEYS[3], flow[1]) or 0, virtual)
            local turn = {name = flow[1], weight = flow[2], start = start, instance = all[i]}
            if not first or start < first.start then first = turn end
            if all[i] == me and (not mine or start < mine.start) then mine = turn end
          end
        end
      end
    end

    elsewhere = #elsewhere > 0 and cjson.encode(elsewhere) or '[]'
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    local taken = redis.call('ZCARD', KEYS[1])
    if taken >= limit then
      local free = redis.call('ZRANGE', KEYS[1], taken - limit, taken - limit, 'WITHSCORES')[2]
      return {'wait', state(), math.ceil(free - now), elsewhere, ''}
    end
    if not mine then return {'wait', state(), 1000, elsewhere, ''} end
    if first.start < mine.start then
      local offered = number(KEYS[2], 'offered')
      if not offered then
        redis.call('HSET', KEYS[2], 'offered', now)
        tell('turn', first.instance)
      end
      if not offered or now - offered < ${offerMs} then return {'wait', state(), ${offerAgainMs}, elsewhere, ''} end
    end

    redis.call('HDEL', KEYS[2], 'offered')
    redis.call('HSET', KEYS[2], 'virtual', string.format('%.9f', mine.start))
    redis.call('HSET', KEYS[3], mine.name, string.format('%.9f', mine.start + 1 / mine.weight))
    redis.call('ZADD', KEYS[1], now + ARGV[7], ARGV[8])
    count(string.match(mine.name, '^%S+ (.*)$') or '', 1)
    local waits = {}
    for _, flow in ipairs(own) do
      if flow[1] == mine.name then flow[3] = flow[3] - 1 end
      if flow[3] > 0 then waits[#waits + 1] = flow end
    end
    if #waits > 0 then redis.call('HSET', KEYS[4], me, now .. ' ' .. cjson.encode(waits)) else redis.call('HDEL', KEYS[4], me) end
    live()
    return {'granted', state(), 0, '[]', mine.name}`,
};

/** Keys: places, waiting. ARGV: channel, call, free in. */
const end: Script = {
  name: 'sendgateEnd',
  keys: 2,
  lua: `
    local time = redis.call('TIME')
    local free = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
    local held = redis.call('ZSCORE', KEYS[1], ARGV[2])
    if held and tonumber(held) > free then
      redis.call('ZADD', KEYS[1], 'XX', free, ARGV[2])
      if redis.call('HLEN', KEYS[2]) > 0 then redis.call('PUBLISH', ARGV[1], cjson.encode({'place', ARGV[3]})) end
    end
    return 1`,
};

/** ARGV further: call, its team. For a turn that nobody wants any more. */
const giveBack: Script = {
  name: 'sendgateGiveBack',
  keys: 6,
  lua: `${prelude}
    if redis.call('ZREM', KEYS[1], ARGV[6]) == 1 then
      count(ARGV[7], -1)
      state()
      tell('place', 0)
    end
    return 1`,
};

/** ARGV further: whether calls were made unseen, then calls and the milliseconds until they count no more, in turn. */
const settle: Script = {
  name: 'sendgateSettle',
  keys: 6,
  lua: `${prelude}
    for i = 7, #ARGV, 2 do redis.call('ZADD', KEYS[1], now + ARGV[i + 1], ARGV[i]) end
    if ARGV[6] == '1' then redis.call('HSET', KEYS[2], 'since', now) else redis.call('HSETNX', KEYS[2], 'since', now) end
    live()
    return state()`,
};

export class SharedQuota {
  readonly #redis: Redis;
  readonly #keys: readonly string[];
  readonly #parts: string;
  readonly #perDay: number;
  #calls = 0;

  /** @param parts of a day's calls, by team */
  constructor(redis: Redis, perDay: number, parts: ReadonlyMap<string, TeamPart>) {
    this.#redis = redis;
    this.#perDay = perDay;
    this.#parts = JSON.stringify([...parts].map(([team, { part, cap }]) => [team, part, cap]));
    this.#keys = ['places', 'state', 'tags', 'waiting', 'calls', 'told'].map((name) => redis.key(`{quota}:${name}`));
  }

  get isUp(): boolean {
    return this.#redis.isUp;
  }

  /** The part of the whole that this instance takes while it is alone. */
  get share(): { readonly instances: number; readonly rank: number } {
    return this.#redis;
  }

  newCall(): string {
    return `${this.#redis.instance}-${this.#calls++}`;
  }

  /** Asks for a turn. Undefined when Redis is unavailable, or answers what is no answer. */
  async ask({ flows, perSecond, day, aloneMs }: Question, holdMs: number): Promise<Ruling | undefined> {
    const waiting = flows.map(({ name, weight, waiting, kept }) => [name, weight, waiting, kept]);
    const call = this.newCall();
    const values = [perSecond, holdMs, call, JSON.stringify(waiting), Math.ceil(aloneMs)];
    const reply = await this.#run(take, day, values);
    if (!Array.isArray(reply)) return undefined;
    const [kind, teams = '', ms, elsewhere = '', flow = ''] = reply.map(String);
    const told = this.#teamsOf(teams);
    if (!told) return undefined;
    if (kind === 'granted') return { teams: told, kind, flow, call };
    return { teams: told, kind: 'wait', ms: clampWait(Number(ms)), elsewhere: read(flowsShape, elsewhere) ?? [] };
  }

  /** Tells that a call has been answered, and counts for so much longer. */
  ended({ call, freeInMs }: Place): void {
    const [places = '', , , waiting = ''] = this.#keys;
    void this.#redis.run(end, [places, waiting, this.#redis.channel, call, Math.max(0, Math.ceil(freeInMs))]);
  }

  giveBack(call: string, team: string, day: DayReport): void {
    void this.#run(giveBack, day, [call, team]);
  }

  /** Redis is back: tells of the calls that it may not know of. Resolves with the day's calls of all instances. */
  async settle(places: readonly Place[], unseen: boolean, day: DayReport): Promise<readonly TeamCalls[] | undefined> {
    const told = places.flatMap(({ call, freeInMs }) => [call, Math.ceil(freeInMs)]);
    const reply = await this.#run(settle, day, [Number(unseen), ...told]);
    return reply === undefined ? undefined : this.#teamsOf(String(reply));
  }

  /** Tells all instances that Constant Contact says that it was called too often. */
  complain(pauseMs: number): void {
    this.#redis.publish('complaint', this.#redis.instance, String(Math.ceil(pauseMs)));
  }

  /** Calls `onTurn` with the milliseconds until a turn may be had, and `onComplaint` when another instance has complained. */
  listen(onTurn: (inMs: number) => void, onComplaint: (pauseMs: number) => void): void {
    const { instance } = this.#redis;
    this.#redis.on('turn', (whose) => {
      if (whose === instance) onTurn(0);
    });
    this.#redis.on('place', (ms) => onTurn(clampWait(Number(ms))));
    this.#redis.on('complaint', (whose, ms) => {
      const pauseMs = Number(ms ?? 0);
      if (whose !== instance) onComplaint(pauseMs >= 0 ? Math.min(pauseMs, longestPauseMs) : 0);
    });
  }

  onUp(listener: () => void): void {
    this.#redis.onUp(listener);
  }

  onDown(listener: () => void): void {
    this.#redis.onDown(listener);
  }

  /** What is in Redis is input: counts beyond anything that can have happened are no answer. */
  #teamsOf(text: string): readonly TeamCalls[] | undefined {
    const teams = read(teamsShape, text);
    const most = mostOverrun * (this.#perDay + 1);
    return teams?.every(({ calls }) => calls <= most) ? teams : undefined;
  }

  #run(script: Script, { day, rest, teams }: DayReport, values: readonly (string | number)[]) {
    const { channel, instance } = this.#redis;
    const report = JSON.stringify([day, rest, teams.map(({ team, own, known }) => [team, own, known])]);
    return this.#redis.run(script, [...this.#keys, channel, instance, report, this.#parts, this.#perDay, ...values]);
  }
}

const longestWaitMs = 5_000;
/** The longest pause that another instance can ask for: as long as Constant Contact can. */
const longestPauseMs = 60_000;

/** A wait that Redis names. What is none is asked again soon. */
const clampWait = (ms: number) => (Number.isFinite(ms) ? Math.min(Math.max(1, ms), longestWaitMs) : 1_000);

/** Teams of which Redis tells: of as many as can be configured, before and after a change, and the account. */
const maxTeams = 201;
const teamName = /^[\w-]{0,32}$/;

const teamsShape = z
  .array(z.tuple([z.string(), z.int().nonnegative(), z.number().nonnegative()]))
  .max(maxTeams)
  // A count under a name that no team can have is ignored: it must not cost the others their turns.
  .transform((all) => all.filter(([team]) => teamName.test(team)))
  .transform((all) => all.map(([team, calls, kept]): TeamCalls => ({ team, calls, kept })));

const flowsShape = z
  .array(z.tuple([z.string().max(100), z.number().positive(), z.int().nonnegative(), z.number().nonnegative()]))
  .max(10_000)
  .transform((all) => all.map(([name, weight, waiting, kept]): WaitingFlow => ({ name, weight, waiting, kept })));

function read<T>(shape: z.ZodType<T>, text: string): T | undefined {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

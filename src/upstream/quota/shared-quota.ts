/**
 * One quota for all instances: so many calls a second and a day among them, in turns that are fair between the teams
 * wherever their demands wait. Redis gives the turns; each instance keeps its own queue.
 *
 * The turns are those of start-time fair queueing, as in one instance: every instance that asks tells what waits there,
 * and the turn goes to the flow with the lowest start tag of all. If that one waits elsewhere, its instance is told.
 */
import type { Redis, Script } from '../../redis/redis.ts';
import { othersMs } from './second-limit.ts';

/** What waits in one instance for one flow. */
export interface WaitingFlow {
  readonly name: string;
  readonly weight: number;
  readonly waiting: number;
  /** Calls of the day that it must leave to others. */
  readonly kept: number;
}

/** The day's count, as an instance knows it. */
export interface DayReport {
  /** Number of the day since 1970-01-01 UTC. */
  readonly day: number;
  /** Calls that this instance has made itself. */
  readonly own: number;
  /** The highest count of all that was heard of. */
  readonly known: number;
}

export interface Question {
  readonly flows: readonly WaitingFlow[];
  readonly perSecond: number;
  readonly perDay: number;
  readonly day: DayReport;
  /** Milliseconds until this instance could call if it were alone, within its part of the whole. */
  readonly aloneMs: number;
}

export type Ruling = {
  /** The day's count of all instances. */
  readonly used: number;
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

/** Keys: places, state, tags, waiting, day. ARGV: channel, instance, day, own calls, known calls of all. */
const prelude = `
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local function tell(...) redis.call('PUBLISH', ARGV[1], cjson.encode({...})) end
  local function number(key, name) return tonumber(redis.call('HGET', key, name) or nil) end
  local function count(calls)
    local day, today = number(KEYS[5], 'day') or 0, tonumber(ARGV[3])
    if today > day then
      redis.call('DEL', KEYS[5])
      redis.call('HSET', KEYS[5], 'day', today)
      day = today
    end
    local used, rest = number(KEYS[5], 'used') or 0, number(KEYS[5], 'rest') or 0
    local told, known = number(KEYS[5], ARGV[2]) or 0, tonumber(ARGV[5])
    if today == day then
      -- Calls that are news; after a flush those are not that the others have told of.
      local new = math.max(0, tonumber(ARGV[4]) - told)
      local covered = math.min(rest, new)
      used, rest, told = used + new - covered, rest - covered, told + new
      if known > used then used, rest = known, rest + known - used end
    end
    used, told = used + calls, told + calls
    redis.call('HSET', KEYS[5], 'used', used, 'rest', rest, ARGV[2], told)
    redis.call('PEXPIRE', KEYS[5], ${lifeMs.day})
    return used
  end
  local function live() for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ${lifeMs.turns}) end end
`;

/** ARGV further: limit, hold, call, flows, calls a day, wait if alone. */
const take: Script = {
  name: 'sendgateTake',
  keys: 5,
  lua: `${prelude}
    local me, limit, perDay = ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[10])
    local used = count(0)
    local since = number(KEYS[2], 'since')
    if not since then
      since = now
      redis.call('HSET', KEYS[2], 'since', now, 'lost', now)
    end
    local own = cjson.decode(ARGV[9])
    local alone = now - since < ${settleMs} and tonumber(ARGV[11]) or 0
    if #own > 0 and alone == 0 then
      redis.call('HSET', KEYS[4], me, now .. ' ' .. ARGV[9])
    else
      redis.call('HDEL', KEYS[4], me)
    end
    local lost = now - (number(KEYS[2], 'lost') or 0)
    if lost < ${othersMs} then alone = ${othersMs} - lost end
    if alone > 0 then return {'wait', used, alone, '[]', ''} end

    local virtual = number(KEYS[2], 'virtual') or 0
    local elsewhere, first, mine = {}, nil, nil
    local all = redis.call('HGETALL', KEYS[4])
    for i = 1, #all, 2 do
      local at, text = string.match(all[i + 1], '^(%d+) (.*)$')
      if not at or now - at > ${goneMs} then
        redis.call('HDEL', KEYS[4], all[i])
      else
        for _, flow in ipairs(cjson.decode(text)) do
          if all[i] ~= me then elsewhere[#elsewhere + 1] = flow end
          if perDay - used > flow[4] then
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
      return {'wait', used, math.ceil(free - now), elsewhere, ''}
    end
    if not mine then return {'wait', used, 1000, elsewhere, ''} end
    if first.start < mine.start then
      local offered = number(KEYS[2], 'offered')
      if not offered then
        redis.call('HSET', KEYS[2], 'offered', now)
        tell('turn', first.instance)
      end
      if not offered or now - offered < ${offerMs} then return {'wait', used, ${offerAgainMs}, elsewhere, ''} end
    end

    redis.call('HDEL', KEYS[2], 'offered')
    redis.call('HSET', KEYS[2], 'virtual', string.format('%.9f', mine.start))
    redis.call('HSET', KEYS[3], mine.name, string.format('%.9f', mine.start + 1 / mine.weight))
    redis.call('ZADD', KEYS[1], now + ARGV[7], ARGV[8])
    used = count(1)
    local left = {}
    for _, flow in ipairs(own) do
      if flow[1] == mine.name then flow[3] = flow[3] - 1 end
      if flow[3] > 0 then left[#left + 1] = flow end
    end
    if #left > 0 then redis.call('HSET', KEYS[4], me, now .. ' ' .. cjson.encode(left)) else redis.call('HDEL', KEYS[4], me) end
    live()
    return {'granted', used, 0, '[]', mine.name}`,
};

/** ARGV further: call, free in. */
const end: Script = {
  name: 'sendgateEnd',
  keys: 5,
  lua: `${prelude}
    local free, held = now + ARGV[7], redis.call('ZSCORE', KEYS[1], ARGV[6])
    if held and tonumber(held) > free then
      redis.call('ZADD', KEYS[1], 'XX', free, ARGV[6])
      if redis.call('HLEN', KEYS[4]) > 0 then tell('place', ARGV[7]) end
    end
    return 1`,
};

/** ARGV further: call. For a turn that nobody wants any more. */
const giveBack: Script = {
  name: 'sendgateGiveBack',
  keys: 5,
  lua: `${prelude}
    if redis.call('ZREM', KEYS[1], ARGV[6]) == 1 then
      count(-1)
      tell('place', 0)
    end
    return 1`,
};

/** ARGV further: whether calls were made unseen, then calls and the milliseconds until they count no more, in turn. */
const settle: Script = {
  name: 'sendgateSettle',
  keys: 5,
  lua: `${prelude}
    for i = 7, #ARGV, 2 do redis.call('ZADD', KEYS[1], now + ARGV[i + 1], ARGV[i]) end
    redis.call(ARGV[6] == '1' and 'HSET' or 'HSETNX', KEYS[2], 'since', now)
    live()
    return count(0)`,
};

export class SharedQuota {
  readonly #redis: Redis;
  readonly #keys: readonly string[];
  #calls = 0;

  constructor(redis: Redis) {
    this.#redis = redis;
    this.#keys = ['places', 'state', 'tags', 'waiting', 'day'].map((name) => redis.key(`{quota}:${name}`));
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

  /** Asks for a turn. Undefined when Redis does not help. */
  async ask(question: Question, holdMs: number): Promise<Ruling | undefined> {
    const { flows, perSecond, perDay, day, aloneMs } = question;
    const waiting = flows.map(({ name, weight, waiting, kept }) => [name, weight, waiting, kept]);
    const call = this.newCall();
    const values = [perSecond, holdMs, call, JSON.stringify(waiting), perDay, Math.ceil(aloneMs)];
    const reply = await this.#run(take, day, values);
    if (!Array.isArray(reply)) return undefined;
    const [kind, used, ms, elsewhere, flow] = reply.map(String);
    const ruling = { used: Number(used) };
    if (kind === 'granted') return { ...ruling, kind, flow: flow ?? '', call };
    return { ...ruling, kind: 'wait', ms: Math.max(1, Number(ms)), elsewhere: flowsOf(elsewhere ?? '[]') };
  }

  /** Tells that a call has been answered, and counts for so much longer. */
  ended({ call, freeInMs }: Place): void {
    void this.#run(end, nothingNew, [call, Math.max(0, Math.ceil(freeInMs))]);
  }

  giveBack(call: string, day: DayReport): void {
    void this.#run(giveBack, day, [call]);
  }

  /** Redis has come back: tells of the calls that it may not know of. Resolves with the day's count of all instances. */
  async settle(places: readonly Place[], unseen: boolean, day: DayReport): Promise<number | undefined> {
    const told = places.flatMap(({ call, freeInMs }) => [call, Math.ceil(freeInMs)]);
    const used = await this.#run(settle, day, [Number(unseen), ...told]);
    return typeof used === 'number' ? used : undefined;
  }

  /** Tells all instances that Constant Contact says that it was called too often. */
  complain(): void {
    this.#redis.publish('complaint', this.#redis.instance);
  }

  /** Has the functions called whenever a turn may be had in so many milliseconds, or another instance has complained. */
  listen(onTurn: (inMs: number) => void, onComplaint: () => void): void {
    const { instance } = this.#redis;
    this.#redis.on('turn', (whose) => {
      if (whose === instance) onTurn(0);
    });
    this.#redis.on('place', (ms) => onTurn(Number(ms) || 0));
    this.#redis.on('complaint', (whose) => {
      if (whose !== instance) onComplaint();
    });
  }

  onUp(listener: () => void): void {
    this.#redis.onUp(listener);
  }

  onDown(listener: () => void): void {
    this.#redis.onDown(listener);
  }

  #run(script: Script, { day, own, known }: DayReport, values: readonly (string | number)[]) {
    const { channel, instance } = this.#redis;
    return this.#redis.run(script, [...this.#keys, channel, instance, day, own, known, ...values]);
  }
}

function flowsOf(text: string): WaitingFlow[] {
  const flows = JSON.parse(text) as [string, number, number, number][];
  return flows.map(([name, weight, waiting, kept]) => ({ name, weight, waiting, kept }));
}

const nothingNew: DayReport = { day: 0, own: 0, known: 0 };

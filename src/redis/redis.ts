/**
 * What the instances share, while Redis is available. It is help and never a need: whatever goes wrong with it, a question to it
 * comes back unanswered within `timeoutMs`, and the instance runs standalone.
 */
import { randomBytes } from 'node:crypto';
import { Redis as Client, type RedisOptions as ClientOptions, Cluster } from 'ioredis';
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { RedisAddress } from '../config/redis-url.ts';
import { parseJson } from '../model/json.ts';
import { aCommand, deniedBy, type Failure, failureOf, isForPerson, Late } from './failures.ts';
import { permitted, scriptCommands } from './permissions.ts';

export interface RedisOptions {
  /** The longest that an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** In front of all keys. */
  readonly keyPrefix: string;
}

/** A Lua script, which Redis runs as one step. Scripts are sent whole once a connection, and by their digest after that. */
export interface Script {
  readonly name: string;
  /** How many of its arguments are keys. */
  readonly keys: number;
  readonly lua: string;
}

export interface RedisEvents {
  /**
   * Called once each way, first when it is known whether Redis is there; while it is not, again for each further reason that
   * an operator has to act on.
   */
  changed(isUp: boolean, why: Failure | undefined): void;
  /** A question was asked; `ok`, or why it was not answered, out of a closed set. */
  asked(script: string, outcome: string, seconds: number): void;
}

/** Every layout of what is kept has a number of its own: instances of two versions share nothing, and none misreads. */
const layout = 1;

const beatMs = 400;
const startingBeatMs = 20;
/** Instances that have not been heard of for so long are gone. */
const goneMs = 2_000;
const reconnectMs = { first: 50, most: 500 };
/** No more are counted: what an instance may call while it is alone is a share of the whole. */
const maxInstances = 100;
/** Characters; a longer message is none of ours. */
const maxMessageLength = 16 * 1024;
/** A connection that leaves a question unanswered for so long is dead. */
const deadMs = 2_000;
/** Late answers in a row until Redis counts as down: a single one may be our own fault. */
const maxLate = 3;
/** Keys that are looked at in one step of a scan. */
const scanCount = 500;
/** Good beats in a row until Redis is believed again. */
const convincing = 2;
/** Beats until messages have to have arrived. */
const maxUnheard = goneMs / beatMs;
/** Beats that count as unheard on a new connection: too many to rely on it, and too few to give it up. */
const notHeardYet = maxUnheard + 1;
const settledBeats = 5_000 / beatMs;
/** For how long a start waits for Redis. */
const startMs = 1_000;

const beat: Script = {
  name: 'sendgateBeat',
  keys: 1,
  lua: `
    local t = redis.call('TIME')
    local now = t[1] * 1000 + math.floor(t[2] / 1000)
    redis.call('ZADD', KEYS[1], now, ARGV[1])
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
    redis.call('PEXPIRE', KEYS[1], 60000)
    redis.call('PUBLISH', ARGV[3], '["beat"]')
    return redis.call('ZRANGE', KEYS[1], 0, ${maxInstances - 1})`,
};

const leave: Script = { name: 'sendgateLeave', keys: 1, lua: `return redis.call('ZREM', KEYS[1], ARGV[1])` };

export type Reply = Buffer | number | null | readonly Reply[];
type Listener = (...values: string[]) => void;

/** What is told: its kind, and values. A list in here, or an object, is nothing that could be a text. */
const message = z.array(z.union([z.string(), z.number()]));

export class Redis {
  /** Of this process. */
  readonly instance = randomBytes(6).toString('hex');
  readonly channel: string;
  readonly #clock: Clock;
  readonly #options: RedisOptions;
  readonly #events: RedisEvents;
  readonly #client: Client | Cluster;
  readonly #subscriber: Client | Cluster;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #onUp: (() => void)[] = [];
  readonly #onDown: (() => void)[] = [];
  readonly #ready: Promise<void>;
  #instances: readonly string[] = [this.instance];
  #isUp = false;
  /** What went wrong last. */
  #why: Failure = { reason: 'connection' };
  /** Why messages cannot be heard. */
  #whyUnheard: Failure = { reason: 'unheard' };
  #told: boolean | undefined;
  /** Reasons that were given since Redis was there last. */
  readonly #toldReasons = new Set<string>();
  #late = 0;
  #goodBeats = 0;
  /** Beats since a message was heard, and since Redis has been up. */
  #unheard = notHeardYet;
  #beatsUp = 0;
  #session = 0;
  #cancelBeat: () => void = () => {};
  #isClosed = false;

  constructor(address: RedisAddress, options: RedisOptions, clock: Clock, events: RedisEvents) {
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
    this.channel = this.key('events');
    this.#client = connect(address);
    this.#subscriber = connect(address);
    for (const client of [this.#client, this.#subscriber]) {
      client.on('error', (error: Error) => {
        this.#failed(failureOf(error));
      });
    }
    this.#client.on('close', () => this.#down({ reason: 'connection' }));
    this.#subscriber.on('close', () => {
      // What was heard before says nothing of the next connection.
      this.#unheard = notHeardYet;
      this.#down({ reason: 'connection' });
    });
    this.#subscriber.on('message', (_channel: string, text: string) => this.#heard(text));
    this.#subscriber.on('ready', () => void this.#subscribe());
    this.#ready = new Promise((resolve) => {
      this.#onUp.push(resolve);
      clock.after(startMs, () => {
        if (this.#told === undefined) this.#tell(false, this.#why);
        resolve();
      });
    });
    this.#scheduleBeat(0);
  }

  /** Whether questions are asked at all. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether Redis has been there for so long that all instances have said what they had to say. */
  get isSettled(): boolean {
    return this.#isUp && this.#beatsUp > settledBeats;
  }

  /** Changes whenever something that was published may have been missed. */
  get session(): number {
    return this.#session;
  }

  /** Instances last seen, this one among them. */
  get instances(): number {
    return this.#instances.length;
  }

  /** Which of the instances last seen this one is, from 0. */
  get rank(): number {
    return Math.max(0, this.#instances.indexOf(this.instance));
  }

  key(name: string): string {
    return `${this.#options.keyPrefix}${layout}:${name}`;
  }

  /** Resolves when Redis is there, or it has become plain that it is not. */
  started(): Promise<void> {
    return this.#ready;
  }

  /**
   * Runs a script, in one round trip. Resolves with its reply, or with undefined when Redis is unavailable; never rejects.
   *
   * @param values the keys, then the other arguments
   */
  run(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply | undefined> {
    return this.#isUp ? this.#ask(script, values) : Promise.resolve(undefined);
  }

  /** Calls `listener` whenever an instance, this one too, publishes a message of this kind. */
  on(kind: string, listener: Listener): void {
    this.#listeners.set(kind, [...(this.#listeners.get(kind) ?? []), listener]);
  }

  /** Calls `listener` whenever Redis becomes available. */
  onUp(listener: () => void): void {
    this.#onUp.push(listener);
  }

  /** Calls `listener` whenever Redis becomes unavailable. */
  onDown(listener: () => void): void {
    this.#onDown.push(listener);
  }

  /** Tells all instances. Scripts do so themselves, as part of their step. */
  publish(kind: string, ...values: string[]): void {
    if (this.#isUp) this.#client.publish(this.channel, JSON.stringify([kind, ...values])).catch(() => {});
  }

  /**
   * Calls `visit` with all keys that match a glob, some at a time. Resolves with false when Redis became unavailable meanwhile.
   */
  async eachKey(glob: string, visit: (keys: readonly string[]) => Promise<unknown>): Promise<boolean> {
    if (!this.#isUp) return false;
    const nodes = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client];
    try {
      for (const node of nodes) {
        let cursor = '0';
        do {
          const [next, keys] = await node.scan(cursor, 'MATCH', glob, 'COUNT', scanCount);
          if (keys.length > 0) await visit(keys);
          cursor = next;
        } while (cursor !== '0');
      }
      return true;
    } catch (error) {
      // No script asks for this, so that no beat finds it out; anything else is found out, and told, by the next one.
      const why = failureOf(error);
      if (why.reason === 'no-permission') await this.#isPermitted(why);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelBeat();
    await this.run(leave, [this.key('instances'), this.instance]);
    this.#isUp = false;
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  async #ask(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply | undefined> {
    const { timeoutMs } = this.#options;
    const startedAt = this.#clock.monotonic();
    let outcome = 'ok';
    try {
      const reply = await withinMs(this.#clock, timeoutMs, call(this.#client, script, values));
      this.#late = 0;
      return reply;
    } catch (error) {
      const why = failureOf(error);
      outcome = why.reason;
      if (why.denied === aCommand && script !== permitted) void this.#isPermitted(why);
      else if (outcome !== 'late' || ++this.#late >= maxLate) this.#down(why);
      return undefined;
    } finally {
      this.#events.asked(script.name, outcome, (this.#clock.monotonic() - startedAt) / 1000);
    }
  }

  #scheduleBeat(ms: number): void {
    if (!this.#isClosed) this.#cancelBeat = this.#clock.after(ms, () => void this.#beat());
  }

  /** Says that this instance lives, and sees whether Redis does: that it can be written, and that messages arrive. */
  async #beat(): Promise<void> {
    const reply = await this.#ask(beat, [this.key('instances'), this.instance, goneMs, this.channel]);
    if (!Array.isArray(reply)) this.#goodBeats = 0;
    else if (this.#unheard < maxUnheard) {
      if (this.#isUp || (await this.#isPermitted())) this.#alive(reply.filter(Buffer.isBuffer).map(String));
    } else {
      this.#down(this.#whyUnheard);
      if (this.#unheard % maxUnheard === 0) this.#subscriber.disconnect(true);
    }
    this.#unheard++;
    const isStarting = this.#told === undefined;
    this.#scheduleBeat(isStarting ? startingBeatMs : this.#isUp ? beatMs : beatMs / 2);
  }

  /**
   * Whether access control permits all that scripts use. If not, Redis counts as down, for that reason.
   *
   * @param unnamed the reason to give when a script was denied something that cannot be found out
   */
  async #isPermitted(unnamed?: Failure): Promise<boolean> {
    const values = [this.key(`permitted:${this.instance}`), this.channel, JSON.stringify(scriptCommands)];
    const reply = await this.#ask(permitted, values);
    if (!Array.isArray(reply)) return false;
    const [name, error] = reply.map(String);
    const isNamed = name !== undefined && error !== undefined && Object.hasOwn(scriptCommands, name);
    if (!isNamed && unnamed) this.#down(unnamed);
    if (!isNamed) return unnamed === undefined;
    const denied = deniedBy(error);
    this.#down({ reason: 'no-permission', denied: denied === aCommand ? `the command ${name.toLowerCase()}` : denied });
    return false;
  }

  #alive(instances: readonly string[]): void {
    const isNews = !this.#isUp;
    if (isNews && ++this.#goodBeats < convincing && this.#told !== undefined) return;
    this.#beatsUp = isNews ? 0 : this.#beatsUp + 1;
    // Just after an outage the others may not be back yet.
    if (this.#beatsUp > maxUnheard || instances.length >= this.#instances.length) this.#instances = instances;
    if (!isNews) return;
    this.#isUp = true;
    this.#session++;
    this.#tell(true, undefined);
    for (const listener of this.#onUp) listener();
  }

  #down(why: Failure): void {
    this.#goodBeats = 0;
    this.#late = 0;
    if (!this.#isUp) this.#failed(why);
    if (!this.#isUp || this.#isClosed) return;
    this.#isUp = false;
    this.#session++;
    this.#tell(false, why);
    for (const listener of this.#onDown) listener();
  }

  /** Something more went wrong while Redis was not there. A connection that closes says nothing new of what closed it. */
  #failed(why: Failure): void {
    if (why.reason !== 'connection') this.#why = why;
    if (this.#told === false && !this.#isClosed && isForPerson(why.reason) && !this.#toldReasons.has(why.reason))
      this.#tell(false, why);
  }

  #tell(isUp: boolean, why: Failure | undefined): void {
    if (isUp && this.#told) return;
    this.#told = isUp;
    if (isUp) this.#toldReasons.clear();
    else if (why) this.#toldReasons.add(why.reason);
    this.#events.changed(isUp, why);
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.channel);
      this.#session++;
      this.#whyUnheard = { reason: 'unheard' };
    } catch (error) {
      // Where the connection has closed again, there will be another.
      const why = failureOf(error);
      if (why.reason !== 'no-permission') return;
      this.#whyUnheard = why;
      this.#down(why);
    }
  }

  #heard(text: string): void {
    this.#unheard = 0;
    const [kind, ...values] = parseMessage(text);
    for (const listener of this.#listeners.get(kind ?? '') ?? []) listener(...values);
  }
}

/** Empty where the text is none of ours. */
function parseMessage(text: string): readonly string[] {
  if (text.length > maxMessageLength) return [];
  try {
    return message.parse(parseJson(text)).map(String);
  } catch {
    return [];
  }
}

/** A client that never waits for better times: what cannot be asked now is not asked. */
export function connect({ kind, nodes, tls, username, password, database, master }: RedisAddress): Client | Cluster {
  const options = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    protocol: 2 as const,
    connectTimeout: deadMs,
    socketTimeout: deadMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // It would be one more command that has to be permitted.
    disableClientInfo: true,
    // After a failover the old master is a replica, and refuses what is written.
    reconnectOnError: ({ message }: Error) => message.startsWith('READONLY'),
  } satisfies ClientOptions;
  const retryStrategy = (times: number) => Math.min(reconnectMs.first * times, reconnectMs.most);
  if (kind === 'cluster') {
    return new Cluster([...nodes], {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      slotsRefreshTimeout: deadMs,
      // Certificates are for names; a cluster may announce itself by addresses.
      ...(tls
        ? { dnsLookup: (address: string, callback: (error: null, address: string) => void) => callback(null, address) }
        : {}),
    });
  }
  const [node] = nodes;
  const where =
    kind === 'sentinel'
      ? {
          sentinels: [...nodes],
          name: master ?? '',
          sentinelRetryStrategy: retryStrategy,
          // Two connections with separate options: to the sentinels, and to the server that they name.
          ...(tls ? { sentinelTLS: {} } : {}),
          enableTLSForSentinelMode: tls,
        }
      : { host: node?.host ?? '', port: node?.port ?? 0 };
  // Whether Redis is ready is found out by asking it what it is for; the check needs another permission.
  return new Client({
    ...options,
    ...where,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy,
    db: database,
  });
}

function call(
  client: Client | Cluster,
  { name, keys, lua }: Script,
  values: readonly (string | number | Buffer)[],
): Promise<Reply> {
  const commands = client as unknown as Record<string, (...values: unknown[]) => Promise<Reply>>;
  if (!commands[name]) client.defineCommand(name, { lua, numberOfKeys: keys });
  return commands[`${name}Buffer`]?.(...values) ?? Promise.reject(new Error('no such script'));
}

/** @throws Late when the promise has not settled by then; what had arrived meanwhile, and was not looked at yet, counts */
function withinMs<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => setImmediate(() => setImmediate(() => reject(new Late()))));
    promise.then(resolve, reject).finally(cancel);
  });
}

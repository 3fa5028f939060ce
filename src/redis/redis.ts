/**
 * The instances' shared Redis. Nothing depends on it: every script is abandoned after `timeoutMs`, and while Redis is down
 * the instance runs standalone.
 */
import { randomBytes } from 'node:crypto';
import type { Redis as Client, Cluster } from 'ioredis';
import type { Clock } from '../clock.ts';
import type { RedisAddress } from '../config/redis-url.ts';
import { connect } from './connection.ts';
import { failureOf } from './failures.ts';
import { beatMs, type Changed, type GroupMemory, goneMs, Liveness } from './liveness.ts';
import { Messages } from './messages.ts';
import { Questions } from './questions.ts';
import { scanKeys } from './scan.ts';
import { loadScript, type Reply, type Script } from './scripts.ts';

export interface RedisOptions {
  /** Longest time for a reply, in milliseconds. */
  readonly timeoutMs: number;
  /** Prefix of all keys. */
  readonly keyPrefix: string;
}

export interface RedisEvents {
  readonly changed: Changed;
  /** A script ran: `ok` or the failure's reason, from a closed set. */
  asked(script: string, outcome: string, seconds: number): void;
}

/** Version of the stored layout, part of every key: instances of two versions share nothing and misread nothing. */
const layout = 1;

/** The name of a key or channel in Redis. */
export const nameInRedis = (keyPrefix: string, name: string) => `${keyPrefix}${layout}:${name}`;

const startingBeatMs = 20;
/** How long a start waits for Redis. */
const startMs = 1_000;

const beat = loadScript(import.meta.url, 'lua/beat-1.lua');
const leave = loadScript(import.meta.url, 'lua/leave-1.lua');

const forgetful: GroupMemory = { last: { instances: 1, rank: 0 }, seen: () => {} };

export class Redis {
  /** Random id of this process. */
  readonly instance = randomBytes(6).toString('hex');
  readonly channel: string;
  readonly #clock: Clock;
  readonly #options: RedisOptions;
  readonly #client: Client | Cluster;
  readonly #subscriber: Client | Cluster;
  readonly #questions: Questions;
  readonly #liveness: Liveness;
  readonly #messages: Messages;
  readonly #ready: Promise<void>;
  #cancelStart: () => void = () => {};
  #cancelBeat: () => void = () => {};
  #isClosed = false;

  constructor(
    address: RedisAddress,
    options: RedisOptions,
    clock: Clock,
    events: RedisEvents,
    memory: GroupMemory = forgetful,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.channel = this.key('events');
    const liveness = new Liveness(this.instance, events.changed, memory);
    this.#liveness = liveness;
    this.#client = connect(address);
    this.#subscriber = connect(address);
    for (const client of [this.#client, this.#subscriber]) {
      client.on('error', (error: Error) => liveness.failed(failureOf(error)));
    }
    this.#client.on('close', () => liveness.down({ reason: 'connection' }));
    this.#questions = new Questions(this.#client, {
      ...{ clock, liveness, timeoutMs: options.timeoutMs, channel: this.channel },
      unusedKey: this.key(`permitted:${this.instance}`),
      asked: (script, outcome, seconds) => events.asked(script, outcome, seconds),
    });
    this.#messages = new Messages(this.#subscriber, this.channel, {
      subscribed: () => liveness.subscribed(),
      lost: (why) => liveness.down(why),
    });
    this.#ready = new Promise((resolve) => {
      liveness.onUp(resolve);
      this.#cancelStart = clock.after(startMs, () => {
        liveness.startIsOver();
        resolve();
      });
    });
    this.#scheduleBeat(0);
  }

  /** Whether Redis is up; while it is not, no scripts are sent. */
  get isUp(): boolean {
    return this.#liveness.isUp;
  }

  /** Whether Redis has been up long enough for every instance to report. */
  get isSettled(): boolean {
    return this.#liveness.isSettled;
  }

  /** Changes whenever a message may have been missed. */
  get session(): number {
    return this.#liveness.session;
  }

  /** Number of instances last seen, including this one. */
  get instances(): number {
    return this.#liveness.group.instances;
  }

  /** This instance's index among them, from 0. */
  get rank(): number {
    return this.#liveness.group.rank;
  }

  key(name: string): string {
    return nameInRedis(this.#options.keyPrefix, name);
  }

  /** Resolves once Redis is known to be up or down. */
  started(): Promise<void> {
    return this.#ready;
  }

  /**
   * Runs a script in one round trip. Resolves with its reply, or undefined while Redis is unavailable; never rejects.
   *
   * @param values the keys, then the other arguments
   */
  run(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply | undefined> {
    return this.isUp ? this.#questions.ask(script, values) : Promise.resolve(undefined);
  }

  /** Calls `listener` whenever any instance, including this one, publishes a message of this kind. */
  on(kind: string, listener: (...values: string[]) => void): void {
    this.#messages.on(kind, listener);
  }

  /** Calls `listener` whenever Redis becomes available. */
  onUp(listener: () => void): void {
    this.#liveness.onUp(listener);
  }

  /** Calls `listener` whenever Redis becomes unavailable. */
  onDown(listener: () => void): void {
    this.#liveness.onDown(listener);
  }

  /** Publishes a message to all instances. Scripts publish their own within their step. */
  publish(kind: string, ...values: string[]): void {
    if (this.isUp) this.#client.publish(this.channel, JSON.stringify([kind, ...values])).catch(() => {});
  }

  /** Calls `visit` with all keys that match a glob, in batches. Resolves with false if Redis became unavailable. */
  async eachKey(glob: string, visit: (keys: readonly string[]) => Promise<unknown>): Promise<boolean> {
    if (!this.isUp) return false;
    try {
      await scanKeys(this.#client, glob, visit);
      return true;
    } catch (error) {
      // No script uses SCAN, so no beat detects that it is denied. Any other failure shows at the next beat.
      const why = failureOf(error);
      if (why.reason === 'no-permission') await this.#questions.areAllPermitted(why);
      return false;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#liveness.closing();
    this.#cancelStart();
    this.#cancelBeat();
    await this.run(leave, [this.key('instances'), this.instance]);
    this.#liveness.closed();
    this.#client.disconnect();
    this.#subscriber.disconnect();
  }

  #scheduleBeat(ms: number): void {
    if (!this.#isClosed) this.#cancelBeat = this.#clock.after(ms, () => void this.#beat());
  }

  /** Announces this instance, and checks that Redis accepts writes and delivers messages. */
  async #beat(): Promise<void> {
    const reply = await this.#questions.ask(beat, [this.key('instances'), this.instance, goneMs, this.channel]);
    if (!Array.isArray(reply)) this.#liveness.beatFailed();
    else if (!this.#messages.areHeard) this.#messages.tellUnheard();
    else if (this.isUp || (await this.#questions.areAllPermitted()))
      this.#liveness.beat(reply.filter(Buffer.isBuffer).map(String));
    this.#messages.beat();
    this.#scheduleBeat(!this.#liveness.isKnown ? startingBeatMs : this.isUp ? beatMs : beatMs / 2);
  }
}

/**
 * What the instances share, while Redis is up. Nothing depends on it: whatever goes wrong with Redis, a question is given up within
 * `timeoutMs`, and the instance runs standalone.
 */
import { randomBytes } from 'node:crypto';
import type { Redis as Client, Cluster } from 'ioredis';
import type { Clock } from '../clock.ts';
import type { RedisAddress } from '../config/redis-url.ts';
import { connect } from './connection.ts';
import { failureOf } from './failures.ts';
import { beatMs, type Changed, goneMs, Liveness } from './liveness.ts';
import { Messages } from './messages.ts';
import { Questions } from './questions.ts';
import { scanKeys } from './scan.ts';
import { loadScript, type Reply, type Script } from './scripts.ts';

export interface RedisOptions {
  /** The longest that an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** In front of all keys. */
  readonly keyPrefix: string;
}

export interface RedisEvents {
  readonly changed: Changed;
  /** A question was asked; `ok`, or why it was not answered, out of a closed set. */
  asked(script: string, outcome: string, seconds: number): void;
}

/** Each layout of what is kept has a number: instances of two versions share nothing, and none misreads. */
const layout = 1;

const startingBeatMs = 20;
/** For how long a start waits for Redis. */
const startMs = 1_000;

const beat = loadScript(import.meta.url, 'lua/beat-1.lua');
const leave = loadScript(import.meta.url, 'lua/leave-1.lua');

export class Redis {
  /** Of this process. */
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

  constructor(address: RedisAddress, options: RedisOptions, clock: Clock, events: RedisEvents) {
    this.#clock = clock;
    this.#options = options;
    this.channel = this.key('events');
    const liveness = new Liveness(this.instance, events.changed);
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

  /** Whether questions are asked at all. */
  get isUp(): boolean {
    return this.#liveness.isUp;
  }

  /** Whether Redis has been up for long enough that all instances have said what they had to say. */
  get isSettled(): boolean {
    return this.#liveness.isSettled;
  }

  /** Changes whenever something that was published may have been missed. */
  get session(): number {
    return this.#liveness.session;
  }

  /** Instances last seen, this one among them. */
  get instances(): number {
    return this.#liveness.instances;
  }

  /** Which of the instances last seen this one is, from 0. */
  get rank(): number {
    return this.#liveness.rank;
  }

  key(name: string): string {
    return `${this.#options.keyPrefix}${layout}:${name}`;
  }

  /** Resolves when Redis is up, or it has become plain that it is not. */
  started(): Promise<void> {
    return this.#ready;
  }

  /**
   * Runs a script, in one round trip. Resolves with its reply, or with undefined when Redis is unavailable; never rejects.
   *
   * @param values the keys, then the other arguments
   */
  run(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply | undefined> {
    return this.isUp ? this.#questions.ask(script, values) : Promise.resolve(undefined);
  }

  /** Calls `listener` whenever an instance, this one too, publishes a message of this kind. */
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

  /** Sends a message to all instances. Scripts do so themselves, as part of their step. */
  publish(kind: string, ...values: string[]): void {
    if (this.isUp) this.#client.publish(this.channel, JSON.stringify([kind, ...values])).catch(() => {});
  }

  /** Calls `visit` with all keys that match a glob, some at a time. Resolves with false when Redis became unavailable meanwhile. */
  async eachKey(glob: string, visit: (keys: readonly string[]) => Promise<unknown>): Promise<boolean> {
    if (!this.isUp) return false;
    try {
      await scanKeys(this.#client, glob, visit);
      return true;
    } catch (error) {
      // No script asks for this, so no beat finds it out; the next beat finds and reports anything else.
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

  /** Says that this instance is alive, and sees whether Redis is: that it can be written, and that messages arrive. */
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

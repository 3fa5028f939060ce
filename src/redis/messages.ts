/**
 * Messages between instances on one channel: a kind, then values.
 */
import type { Redis as Client, Cluster } from 'ioredis';
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { type Failure, failureOf } from './failures.ts';
import { beatsUntilGone } from './liveness.ts';

/** Longest plausible message, in characters. */
const maxLength = 16 * 1024;
/** Initial count of silent beats on a new connection: too many to rely on it, too few to drop it. */
const notHeardYet = beatsUntilGone + 1;

/** A kind, then values. Nested lists and objects are rejected. */
const message = z.array(z.union([z.string(), z.number()]));

type Listener = (...values: string[]) => void;

interface MessageEvents {
  /** A new subscription started; messages may have been missed. */
  subscribed(): void;
  /** No messages arrive. */
  lost(why: Failure): void;
}

/** Receives messages from a channel, and detects when they stop: every instance publishes one per beat. */
export class Messages {
  readonly #subscriber: Client | Cluster;
  readonly #channel: string;
  readonly #events: MessageEvents;
  readonly #listeners = new Map<string, Listener[]>();
  /** Beats since the last message. */
  #unheard = notHeardYet;
  #why: Failure = { reason: 'unheard' };

  constructor(subscriber: Client | Cluster, channel: string, events: MessageEvents) {
    this.#subscriber = subscriber;
    this.#channel = channel;
    this.#events = events;
    subscriber.on('close', () => {
      // Earlier messages say nothing about the next connection.
      this.#unheard = notHeardYet;
      events.lost({ reason: 'connection' });
    });
    subscriber.on('message', (_channel: string, text: string) => this.#heard(text));
    subscriber.on('ready', () => void this.#subscribe());
  }

  on(kind: string, listener: Listener): void {
    this.#listeners.set(kind, [...(this.#listeners.get(kind) ?? []), listener]);
  }

  get areHeard(): boolean {
    return this.#unheard < beatsUntilGone;
  }

  /**
   * Reports that messages have stopped, and reconnects the subscriber every `beatsUntilGone` beats. A connection that is still being
   * made has separate time limits, and ioredis would give it up for good.
   */
  tellUnheard(): void {
    this.#events.lost(this.#why);
    const isDue = this.#unheard % beatsUntilGone === 0;
    if (isDue && this.#subscriber.status === 'ready') this.#subscriber.disconnect(true);
  }

  /** Counts a beat. */
  beat(): void {
    this.#unheard++;
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#channel);
      this.#events.subscribed();
      this.#why = { reason: 'unheard' };
    } catch (error) {
      // If the connection closed, the next one subscribes again.
      const why = failureOf(error);
      if (why.reason !== 'no-permission') return;
      this.#why = why;
      this.#events.lost(why);
    }
  }

  #heard(text: string): void {
    this.#unheard = 0;
    const [kind, ...values] = parse(text);
    for (const listener of this.#listeners.get(kind ?? '') ?? []) listener(...values);
  }
}

/** Parses a message; empty if it is not ours. */
function parse(text: string): readonly string[] {
  if (text.length > maxLength) return [];
  try {
    return message.parse(parseJson(text)).map(String);
  } catch {
    return [];
  }
}

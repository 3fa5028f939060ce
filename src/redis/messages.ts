/**
 * Messages between the instances, on one channel: each has a kind and values.
 */
import type { Redis as Client, Cluster } from 'ioredis';
import { z } from 'zod';
import { parseJson } from '../model/json.ts';
import { type Failure, failureOf } from './failures.ts';
import { beatsUntilGone } from './liveness.ts';

/** Characters; a longer message is none of ours. */
const maxLength = 16 * 1024;
/** Beats that count as unheard on a new connection: too many to rely on it, and too few to give it up. */
const notHeardYet = beatsUntilGone + 1;

/** Its kind, then its values. A list or an object among them is nothing that could be a text. */
const message = z.array(z.union([z.string(), z.number()]));

type Listener = (...values: string[]) => void;

interface MessageEvents {
  /** The subscription is new: messages may have been missed. */
  subscribed(): void;
  /** Nothing can be heard. */
  lost(why: Failure): void;
}

/** Hears what is published on a channel, and knows whether it does: every instance publishes a message at each beat. */
export class Messages {
  readonly #subscriber: Client | Cluster;
  readonly #channel: string;
  readonly #events: MessageEvents;
  readonly #listeners = new Map<string, Listener[]>();
  /** Beats since a message was heard. */
  #unheard = notHeardYet;
  #why: Failure = { reason: 'unheard' };

  constructor(subscriber: Client | Cluster, channel: string, events: MessageEvents) {
    this.#subscriber = subscriber;
    this.#channel = channel;
    this.#events = events;
    subscriber.on('close', () => {
      // What was heard before says nothing about the next connection.
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

  /** Nothing was heard for too long: the connection is given up for another one, again and again. */
  tellUnheard(): void {
    this.#events.lost(this.#why);
    if (this.#unheard % beatsUntilGone === 0) this.#subscriber.disconnect(true);
  }

  /** One more beat has passed. */
  beat(): void {
    this.#unheard++;
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#subscriber.subscribe(this.#channel);
      this.#events.subscribed();
      this.#why = { reason: 'unheard' };
    } catch (error) {
      // Where the connection has closed again, there will be another.
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

/** Empty where the text is none of ours. */
function parse(text: string): readonly string[] {
  if (text.length > maxLength) return [];
  try {
    return message.parse(parseJson(text)).map(String);
  } catch {
    return [];
  }
}

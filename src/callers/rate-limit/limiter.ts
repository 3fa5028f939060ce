/**
 * How often one client may ask: the inbound limit, in front of cache and upstream alike.
 */
import type { Clock } from '../../clock.ts';
import type { RequestContext } from '../../http/request-context.ts';
import { Problem } from '../../problems.ts';
import type { Client } from './client-key.ts';
import { Windows } from './counter.ts';
import { rateLimitFields } from './header-fields.ts';
import { CountReports, type SharedCounter } from './shared-counter.ts';

interface Parts {
  /** Clients counted at the same time; past it, the client not seen for longest is forgotten. */
  readonly maxClients: number;
  readonly clock: Clock;
  /** Of the keys by which `RateLimit-Policy` tells clients apart: one for all processes. */
  readonly partitionSalt: string;
  /** Adds up the counts of several processes; undefined where this is the only one. */
  readonly shared?: SharedCounter | undefined;
  /** Called with a client's key when its window begins: once a minute while it sends requests. */
  readonly onSeen?: (key: string) => void;
}

/** What was decided on a request. */
export interface Decision {
  readonly client: Client;
  /** Requests of the client in this minute, this one included unless it is refused. */
  readonly used: number;
  /** Lines of the response's header, whatever was decided. */
  readonly fields: string;
  /** `rate-limited` where this request is one too many; undefined where it is admitted. */
  readonly refusal: Problem | undefined;
}

/**
 * Counts and decides, once for each request and synchronously, in windows of a minute: by team where the team has a limit,
 * by client (IPv4 address or IPv6 /56) otherwise. A refused request is not counted.
 */
export class Limiter {
  readonly #clock: Clock;
  readonly #windows: Windows;
  readonly #salt: string;
  readonly #reports: CountReports | undefined;

  constructor({ maxClients, clock, partitionSalt, shared, onSeen = () => {} }: Parts) {
    this.#clock = clock;
    this.#salt = partitionSalt;
    this.#windows = new Windows(maxClients, onSeen);
    this.#reports = shared && new CountReports(shared, clock);
  }

  /** Clients, and teams, that are counted. */
  get clients(): number {
    return this.#windows.size;
  }

  /**
   * Counts a request of a client. The caller adds `fields` to the response; a refusal already has them.
   *
   * @throws Problem `rate-limited` over the limit; a refused request is not counted
   */
  admit(client: Client, context: RequestContext): Decision {
    const decision = this.decide(client);
    if (!decision.refusal) return decision;
    context.ownLines += decision.fields;
    throw decision.refusal;
  }

  decide(client: Client): Decision {
    const now = this.#clock.monotonic();
    const window = this.#windows.current(client.key, now);
    const isAdmitted = window.used < client.limit;
    if (isAdmitted) {
      window.used++;
      this.#reports?.counted(client.key, window);
    }
    const fields = rateLimitFields(client, window, this.#salt, now);
    const refusal = isAdmitted ? undefined : rateLimited(window.secondsLeft(now));
    return { client, used: window.used, fields, refusal };
  }
}

/** @param seconds until the next request is admitted */
export const rateLimited = (seconds: number) =>
  new Problem('rate-limited', { retryAfterSeconds: Math.max(1, seconds) });

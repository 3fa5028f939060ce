/**
 * The inbound rate limit of each client, ahead of cache and upstream.
 */
import type { Clock } from '../../clock.ts';
import type { RequestContext } from '../../http/request-context.ts';
import { Problem } from '../../problems.ts';
import type { Client } from './client-key.ts';
import { Windows } from './counter.ts';
import { rateLimitFields } from './header-fields.ts';
import { CountReports, type SharedCounter } from './shared-counter.ts';

interface Parts {
  /** Clients tracked; beyond that, the least recently seen is evicted. */
  readonly maxClients: number;
  readonly clock: Clock;
  /** Salt of the client keys in `RateLimit-Policy`, the same in all processes. */
  readonly partitionSalt: string;
  /** Counts the requests of all processes; undefined for a single process. */
  readonly shared?: SharedCounter | undefined;
  /** Called with a client's key when its window begins: once a minute while it sends requests. */
  readonly onSeen?: (key: string) => void;
}

/** The rate limit's decision on a request. */
export interface Decision {
  readonly client: Client;
  /** Requests of the client in this window, including this one unless it is refused. */
  readonly used: number;
  /** Header lines of the response, admitted or refused. */
  readonly fields: string;
  /** `rate-limited` if the request is over the limit; undefined if it is admitted. */
  readonly refusal: Problem | undefined;
}

/**
 * Counts and decides each request once, synchronously, in windows of a minute: per team if the team has a limit, otherwise per
 * client (IPv4 address or IPv6 /56). Does not count refused requests.
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

  /** Number of clients and teams tracked. */
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

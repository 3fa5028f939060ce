/**
 * The short lane: a page that is held is answered ahead of Express, whose router and promises would be two thirds of
 * the time it takes.
 *
 * It is made of the same functions as the long way and decides nothing by itself: whatever is not plainly a hit, or not
 * plainly allowed, goes on to Express untouched and uncounted.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Callers } from './callers/callers.ts';
import type { Client, RateLimit } from './callers/rate-limit.ts';
import type { Team } from './callers/teams.ts';
import type { Exchange } from './operations/exchange.ts';
import type { Preferences, SendsEndpoint } from './sends/endpoint.ts';
import type { SendsQuery } from './sends/query.ts';

interface Parts {
  readonly basePath: string;
  readonly callers: Callers;
  readonly rateLimit: RateLimit;
  readonly sends: SendsEndpoint;
}

/** What the headers of a request come to, whatever it asks for. */
interface Caller {
  /** The headers, as they came. */
  readonly rawHeaders: readonly string[];
  readonly team: Team;
  readonly client: Client;
  readonly preferences: Preferences;
  /** Of the answer's head. */
  readonly lines: string;
}

/** Targets whose meaning is remembered: dashboards ask for the same again and again. */
const maxTargets = 1_000;
const maxTargetLength = 300;

export class Lane {
  readonly #parts: Parts;
  readonly #target: RegExp;
  readonly #queries = new LRUCache<string, SendsQuery>({ max: maxTargets });
  /** Whose the last request of each connection was. */
  readonly #lastCallers = new WeakMap<Socket, Caller>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#target = new RegExp(`^${parts.basePath.replaceAll('.', '\\.')}/campaigns/([\\w-]{1,36})/sends(?:\\?|$)`);
  }

  /** Answers a hit and returns true, or returns false and has done nothing. */
  answer(req: IncomingMessage, exchange: Exchange): boolean {
    const { method, url = '' } = req;
    if (method !== 'GET' && method !== 'HEAD') return false;
    try {
      const query = this.#queries.get(url) ?? this.#queryOf(url);
      if (!query) return false;
      const { team, client, preferences, lines } = this.#callerOf(req);
      const { rateLimit, sends } = this.#parts;
      const hit = sends.hit(query, preferences);
      const limits = hit && rateLimit.admit(client);
      if (!limits) return false;
      exchange.told.team = team.name;
      exchange.client = client.key;
      exchange.head += `${lines}${limits}`;
      sends.answer(exchange, query, preferences, hit);
      return true;
    } catch {
      return false; // The long way meets the same error, and answers it.
    }
  }

  #queryOf(url: string): SendsQuery | undefined {
    const id = this.#target.exec(url)?.[1];
    if (id === undefined) return undefined;
    const query = this.#parts.sends.query(id, url);
    if (url.length <= maxTargetLength) this.#queries.set(url, query);
    return query;
  }

  /** A client sends the same headers again and again: while they are so to the letter, they are not judged another time. */
  #callerOf(req: IncomingMessage): Caller {
    const { socket, rawHeaders } = req;
    const last = this.#lastCallers.get(socket);
    if (last && isSame(last.rawHeaders, rawHeaders)) return last;

    const { callers, rateLimit, sends } = this.#parts;
    const team = callers.identify(req);
    const client = rateLimit.clientOf(req, team);
    const caller = { rawHeaders, team, client, preferences: sends.preferencesOf(req), lines: callers.lines(req) };
    // A token is not kept, and compared in constant time only.
    if (req.headers.authorization === undefined) this.#lastCallers.set(socket, caller);
    return caller;
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  for (let n = 0; n < some.length; n++) {
    if (some[n] !== others[n]) return false;
  }
  return true;
}

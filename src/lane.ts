/**
 * The short lane: a page that is held is answered ahead of Express, whose router and promises would be two thirds of
 * the time it takes.
 *
 * It is made of the same functions as the long way and decides nothing by itself: whatever is not plainly a hit, or not
 * plainly allowed, goes on to Express untouched and uncounted.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
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
  readonly team: Team;
  readonly client: Client;
  readonly preferences: Preferences;
  /** Of the answer's head. */
  readonly lines: string;
}

/** The headers with which a connection's last request came, and what they have come to. */
interface Headers {
  readonly raw: readonly string[];
  readonly parsed: IncomingHttpHeaders;
  caller: Caller | undefined;
}

/** Targets whose meaning is remembered: dashboards ask for the same again and again. */
const maxTargets = 1_000;
const maxTargetLength = 300;

export class Lane {
  readonly #parts: Parts;
  readonly #target: RegExp;
  readonly #queries = new LRUCache<string, SendsQuery>({ max: maxTargets });
  readonly #lastHeaders = new WeakMap<Socket, Headers>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#target = new RegExp(`^${parts.basePath.replaceAll('.', '\\.')}/campaigns/([\\w-]{1,36})/sends(?:\\?|$)`);
  }

  /**
   * The headers of a request. A client sends the same ones again and again: while they are, to the letter, those of the
   * request before it on its connection, they are neither parsed nor judged another time. Comes before all who read them.
   */
  headersOf(req: IncomingMessage): Headers {
    const { socket, rawHeaders } = req;
    const last = this.#lastHeaders.get(socket);
    if (last && isSame(last.raw, rawHeaders)) {
      req.headers = last.parsed;
      return last;
    }
    const headers = { raw: rawHeaders, parsed: req.headers, caller: undefined };
    this.#lastHeaders.set(socket, headers);
    return headers;
  }

  /** Answers a hit and returns true, or returns false and has done nothing. */
  answer(req: IncomingMessage, headers: Headers, exchange: Exchange): boolean {
    const { method, url = '' } = req;
    if (method !== 'GET' && method !== 'HEAD') return false;
    try {
      const query = this.#queries.get(url) ?? this.#queryOf(url);
      if (!query) return false;
      headers.caller ??= this.#callerOf(req);
      const { team, client, preferences, lines } = headers.caller;
      const { rateLimit, sends } = this.#parts;
      const hit = sends.hit(query, preferences);
      const limits = hit && rateLimit.admit(client);
      if (!limits) return false;
      exchange.told.team = team.name;
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

  #callerOf(req: IncomingMessage): Caller {
    const { callers, rateLimit, sends } = this.#parts;
    const team = callers.identify(req);
    return {
      team,
      client: rateLimit.clientOf(req, team),
      preferences: sends.preferencesOf(req),
      lines: callers.lines(req),
    };
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((text, n) => text === others[n]);
}

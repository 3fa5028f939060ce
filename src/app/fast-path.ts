/**
 * Responds to hits ahead of Express, whose router and promises take two thirds of the time of a hit.
 *
 * It parses and looks up with the functions of the endpoint; what is no hit goes on to Express together with what was decided.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../callers/callers.ts';
import type { RateLimit } from '../callers/rate-limit/rate-limit.ts';
import type { Exchange } from '../http/request-context.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Lookup, Preferences, SendsEndpoint } from '../reports/endpoint.ts';
import type { AnswerError } from './application.ts';

interface Parts {
  readonly basePath: string;
  readonly rateLimit: RateLimit;
  readonly sends: SendsEndpoint;
  readonly answerError: AnswerError;
  /** Logs an error that comes too late for a response. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

/** Targets whose meaning is remembered: dashboards ask for the same again and again. */
const maxTargets = 1_000;
const maxTargetLength = 300;

export class FastPath {
  readonly #parts: Parts;
  readonly #target: RegExp;
  readonly #queries = new LRUCache<string, PageQuery>({ max: maxTargets });
  /** Of callers whose headers are known. */
  readonly #preferences = new WeakMap<Caller, Preferences>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#target = new RegExp(`^${parts.basePath.replaceAll('.', '\\.')}/campaigns/([\\w-]{1,36})/sends(?:\\?|$)`);
  }

  /**
   * Responds to a hit of an admitted caller, and counts it. Returns false for everything else, with nothing counted and
   * nothing written. Never throws.
   */
  respond(req: IncomingMessage, exchange: Exchange, caller: Caller): boolean {
    const { sends, rateLimit, answerError, onUnexpected } = this.#parts;
    const lookup = this.#lookup(req, caller);
    if (lookup?.kind !== 'hit') {
      if (lookup) sends.handOver(req, lookup);
      return false;
    }
    try {
      exchange.head += rateLimit.count(caller.client);
      sends.answer(exchange, lookup);
    } catch (error) {
      if (!exchange.hasBegun) answerError(error, req, exchange);
      else {
        onUnexpected(error, exchange.id);
        exchange.breakOff();
      }
    }
    return true;
  }

  /** Undefined where only Express's router can say what a target means. */
  #lookup(req: IncomingMessage, caller: Caller): Lookup | undefined {
    const { method, url = '' } = req;
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    const known = this.#queries.get(url);
    const id = known?.campaign ?? this.#target.exec(url)?.[1];
    if (id === undefined) return undefined;
    try {
      const preferences = this.#preferencesOf(req, caller);
      return this.#parts.sends.find(known ?? this.#parse(id, url), preferences);
    } catch (error) {
      return { kind: 'failure', query: undefined, error };
    }
  }

  #parse(id: string, url: string): PageQuery {
    const query = this.#parts.sends.query(id, url);
    if (url.length <= maxTargetLength) this.#queries.set(url, query);
    return query;
  }

  #preferencesOf(req: IncomingMessage, caller: Caller): Preferences {
    let preferences = this.#preferences.get(caller);
    if (!preferences) {
      preferences = this.#parts.sends.preferencesOf(req);
      this.#preferences.set(caller, preferences);
    }
    return preferences;
  }
}

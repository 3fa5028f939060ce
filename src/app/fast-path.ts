/**
 * Answers hits ahead of Express: its router and promises take two thirds of the time of a hit.
 *
 * Parses and looks up with the endpoint's functions. Hands everything but hits over to Express, together with the lookup.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../callers/caller.ts';
import type { RequestContext } from '../http/request-context.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ServedName } from '../model/resource.ts';
import type { PageEndpoint, PathParameters, Preferences, RequestLookup } from '../reports/page-endpoint.ts';
import type { AnswerError } from './error-handler.ts';

interface Parts {
  readonly basePath: string;
  readonly endpoints: Readonly<Record<ServedName, PageEndpoint>>;
  readonly answerError: AnswerError;
  /** Logs an error that occurs after the response has begun. */
  readonly onUnexpected: (error: unknown, requestId: string) => void;
}

/** Parsed targets kept: dashboards repeat the same few. */
const maxTargets = 1_000;
const maxTargetLength = 300;

export class FastPath {
  readonly #parts: Parts;
  readonly #target: RegExp;
  readonly #queries = new LRUCache<string, PageQuery>({ max: maxTargets });
  /** By remembered caller. */
  readonly #preferences = new WeakMap<Caller, Preferences>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const names = Object.keys(parts.endpoints).filter((name) => name !== 'campaigns' && name !== 'campaign');
    const root = parts.basePath.replaceAll('.', '\\.');
    this.#target = new RegExp(`^${root}/campaigns(?:/([\\w-]{1,36})(?:/(${names.join('|')}))?)?(?:\\?|$)`);
  }

  /**
   * Answers a hit of an admitted caller. Returns false, and writes nothing, for everything else. Never throws.
   */
  respond(req: IncomingMessage, context: RequestContext, caller: Caller): boolean {
    const { method, url = '' } = req;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const known = this.#queries.get(url);
    const target = known ? undefined : this.#target.exec(url);
    if (!known && !target) return false; // Express's router resolves it.
    const [, id, name = id === undefined ? 'campaigns' : 'campaign'] = target ?? [];
    const endpoint = this.#parts.endpoints[(known?.resource ?? name) as ServedName];
    const lookup = this.#lookUp(endpoint, req, caller, () => known ?? this.#parse(endpoint, { id }, url));
    if (lookup.kind !== 'hit') {
      endpoint.handOver(req, lookup);
      return false;
    }
    const { answerError, onUnexpected } = this.#parts;
    try {
      endpoint.answer(context, lookup);
    } catch (error) {
      if (!context.hasBegun) answerError(error, req, context);
      else {
        onUnexpected(error, context.id);
        context.breakOff();
      }
    }
    return true;
  }

  #lookUp(endpoint: PageEndpoint, req: IncomingMessage, caller: Caller, parse: () => PageQuery): RequestLookup {
    try {
      const preferences = this.#preferencesOf(endpoint, req, caller);
      return endpoint.find(parse(), preferences);
    } catch (error) {
      return { kind: 'failure', query: undefined, error };
    }
  }

  #parse(endpoint: PageEndpoint, path: PathParameters, url: string): PageQuery {
    const query = endpoint.query(path, url);
    if (url.length <= maxTargetLength) this.#queries.set(url, query);
    return query;
  }

  #preferencesOf(endpoint: PageEndpoint, req: IncomingMessage, caller: Caller): Preferences {
    let preferences = this.#preferences.get(caller);
    if (!preferences) {
      preferences = endpoint.preferencesOf(req);
      this.#preferences.set(caller, preferences);
    }
    return preferences;
  }
}

/**
 * The short lane: a page that is held is answered ahead of Express, whose router and promises would be two thirds of
 * the time it takes.
 *
 * It is made of the same functions as the long way and decides nothing by itself: whatever is not plainly a hit goes on to
 * Express untouched.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Caller } from '../callers/caller.ts';
import type { Exchange } from '../http/request-context.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ReportName } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import type { Preferences, ReportEndpoints } from '../reports/endpoint.ts';

interface Parts {
  readonly basePath: string;
  readonly endpoints: ReportEndpoints;
}

/** Targets whose meaning is remembered: dashboards ask for the same again and again. */
const maxTargets = 1_000;
const maxTargetLength = 300;

export class Lane {
  readonly #parts: Parts;
  readonly #target: RegExp;
  readonly #queries = new LRUCache<string, PageQuery>({ max: maxTargets });
  /** Of callers whose headers are known. */
  readonly #preferences = new WeakMap<Caller, Preferences>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const names = Object.keys(reports).join('|');
    const root = parts.basePath.replaceAll('.', '\\.');
    this.#target = new RegExp(`^${root}/campaigns/([\\w-]{1,36})/(${names})(?:\\?|$)`);
  }

  /** Answers a hit of a caller who was admitted and returns true, or returns false and has done nothing. */
  answer(req: IncomingMessage, exchange: Exchange, caller: Caller): boolean {
    const { method, url = '' } = req;
    if (method !== 'GET' && method !== 'HEAD') return false;
    try {
      const query = this.#queries.get(url) ?? this.#queryOf(url);
      if (!query) return false;
      const preferences = this.#preferencesOf(req, caller, query);
      const endpoint = this.#parts.endpoints[query.report];
      const hit = endpoint.hit(query, preferences);
      if (!hit) return false;
      endpoint.answer(exchange, query, preferences, hit);
      return true;
    } catch {
      return false; // The long way meets the same error, and answers it.
    }
  }

  #queryOf(url: string): PageQuery | undefined {
    const [, id, report] = this.#target.exec(url) ?? [];
    if (id === undefined) return undefined;
    const query = this.#parts.endpoints[report as ReportName].query(id, url);
    if (url.length <= maxTargetLength) this.#queries.set(url, query);
    return query;
  }

  #preferencesOf(req: IncomingMessage, caller: Caller, { report }: PageQuery): Preferences {
    let preferences = this.#preferences.get(caller);
    if (!preferences) {
      preferences = this.#parts.endpoints[report].preferencesOf(req);
      this.#preferences.set(caller, preferences);
    }
    return preferences;
  }
}

/**
 * Who asks, and whether they may: Host, then origin, then team. The same checks for every way that a request can take.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { exchangeOf } from '../operations/exchange.ts';
import { Problem } from '../problems.ts';
import type { BrowserGuard } from './browser-guard.ts';
import type { HostRule } from './host-guard.ts';
import type { Team, Teams } from './teams.ts';

interface Parts {
  readonly isAllowedHost: HostRule;
  readonly browserGuard: BrowserGuard;
  readonly teams: Teams;
}

export class Callers {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * The team of a request that may be answered.
   *
   * @param headers gets what the answer has to carry, names and values in turn, also when the request is refused
   * @throws Problem `misdirected-request`, `origin-not-allowed` or `unauthorized`
   */
  identify(req: IncomingMessage, headers: string[]): Team {
    const { isAllowedHost, browserGuard, teams } = this.#parts;
    if (!isAllowedHost(req)) throw new Problem('misdirected-request');
    browserGuard.check(req, headers);
    return teams.of(req);
  }

  /** Lets only requests through whose Host is served. */
  readonly hosts: RequestHandler = (req, _res, next) => {
    if (!this.#parts.isAllowedHost(req)) throw new Problem('misdirected-request');
    next();
  };

  /** The same as middleware. Preflights end here. */
  readonly middleware: RequestHandler = (req, res, next) => {
    const { headers, told } = exchangeOf(req);
    const { isAllowedHost, browserGuard } = this.#parts;
    const preflight = browserGuard.preflight(req);
    if (preflight) {
      // It comes without the token of the request that it asks for.
      if (!isAllowedHost(req)) throw new Problem('misdirected-request');
      browserGuard.check(req, headers);
      res.writeHead(204, [...headers, ...preflight]).end();
      return;
    }
    told.team = this.identify(req, headers).name;
    next();
  };
}

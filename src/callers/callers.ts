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

  /** What the head of the answer has to carry, also when the request is refused. */
  lines(req: IncomingMessage): string {
    return this.#parts.browserGuard.lines(req);
  }

  /**
   * The team of a request that may be answered.
   *
   * @throws Problem `misdirected-request`, `origin-not-allowed` or `unauthorized`
   */
  identify(req: IncomingMessage): Team {
    const { isAllowedHost, browserGuard, teams } = this.#parts;
    if (!isAllowedHost(req)) throw new Problem('misdirected-request');
    browserGuard.check(req);
    return teams.of(req);
  }

  /** Lets only requests through whose Host is served. */
  readonly hosts: RequestHandler = (req, _res, next) => {
    if (!this.#parts.isAllowedHost(req)) throw new Problem('misdirected-request');
    next();
  };

  /** The same as middleware. Preflights end here. */
  readonly middleware: RequestHandler = (req, _res, next) => {
    const exchange = exchangeOf(req);
    const { isAllowedHost, browserGuard } = this.#parts;
    exchange.head += this.lines(req);
    const preflight = browserGuard.preflight(req);
    if (preflight !== undefined) {
      // It comes without the token of the request that it asks for.
      if (!isAllowedHost(req)) throw new Problem('misdirected-request');
      browserGuard.check(req);
      exchange.answer(204, preflight);
      return;
    }
    exchange.told.team = this.identify(req).name;
    next();
  };
}

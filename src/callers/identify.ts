/**
 * Identifies the caller by host, origin, address and team, in this order, before a request can have any effect.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestContext } from '../http/request-context.ts';
import { Problem } from '../problems.ts';
import type { Addresses } from './address.ts';
import type { BrowserGuard } from './browser-guard.ts';
import { type Caller, callerOf } from './caller.ts';
import { Credentials, type TakeForeignTokens } from './credentials.ts';
import type { HostRule } from './host-guard.ts';
import { clientOf, visitorOf } from './rate-limit/client-key.ts';
import type { Limiter } from './rate-limit/limiter.ts';
import { RememberedCallers } from './remembered-callers.ts';
import { defaultTeam, type Teams } from './teams.ts';

/** What the configuration says about callers. Replaced as a whole. */
export interface CallerRules {
  readonly isAllowedHost: HostRule;
  readonly browserGuard: BrowserGuard;
  readonly teams: Teams;
  /** Requests per minute of a client, unless its team has a limit. */
  readonly requestsPerMinute: number;
}

export interface IdentifyParts {
  readonly rules: CallerRules;
  readonly addresses: Addresses;
  /** Whether a target is open to every origin and team. */
  readonly isOpen: (target: string) => boolean;
  readonly takeForeignTokens: TakeForeignTokens;
  /** Counts wrong tokens, and refused callers without a token. */
  readonly limiter: Limiter;
}

export class Identification {
  readonly #parts: IdentifyParts;
  readonly #credentials: Credentials;
  #rules: CallerRules;
  #remembered = new RememberedCallers();

  constructor(parts: IdentifyParts) {
    this.#parts = parts;
    this.#rules = parts.rules;
    this.#credentials = new Credentials(parts.rules.teams, parts.takeForeignTokens);
  }

  /** Replaces the rules. Callers on open connections are identified again with their next request. */
  set rules(rules: CallerRules) {
    this.#rules = rules;
    this.#credentials.teams = rules.teams;
    this.#remembered = new RememberedCallers();
  }

  /** Strips credentials for Constant Contact from a request. Must run first, so that nothing else sees them. */
  receive(req: IncomingMessage): void {
    this.#credentials.receive(req);
  }

  /**
   * Identifies the caller of a request. Returns undefined for a preflight, which it answers. Adds header lines to the response,
   * refused or not.
   *
   * @throws Problem `misdirected-request`, `origin-not-allowed`, `unauthorized` or `rate-limited`
   */
  identify(req: IncomingMessage, context: RequestContext): Caller | undefined {
    if (this.#parts.isOpen(req.url ?? '')) return this.#visitor(req);
    if (!this.#isToldByHeaders(req)) return this.#stranger(req, context);
    const known = this.#remembered.of(req);
    if (known) context.ownLines += known.lines;
    const caller = known ?? this.#stranger(req, context);
    if (caller && !known) this.#remembered.remember(req, caller);
    return caller;
  }

  /** Identifies a visitor of the site, which is open to every origin and team, holds no data, and has its own limit. */
  #visitor(req: IncomingMessage): Caller {
    this.#checkHost(req);
    return callerOf(req, defaultTeam.name, visitorOf(this.#parts.addresses.of(req)));
  }

  #stranger(req: IncomingMessage, context: RequestContext): Caller | undefined {
    this.#checkHost(req);
    const { browserGuard } = this.#rules;
    const lines = browserGuard.lines(req);
    context.ownLines += lines;
    browserGuard.check(req);
    const preflight = browserGuard.preflight(req);
    if (preflight === undefined) return this.#member(req, context, lines);
    // A preflight has no token and costs as little as a refusal, so it is not counted.
    context.answer(204, preflight);
    return undefined;
  }

  /** Identifies the caller as a member of a team, the default team included. */
  #member(req: IncomingMessage, context: RequestContext, lines: string): Caller {
    const { addresses, limiter } = this.#parts;
    const { teams, requestsPerMinute } = this.#rules;
    const ip = addresses.of(req);
    const token = this.#credentials.check(req);
    const team = teams.of(req, ip, token.team);
    // A guess counts for its address, as a client of the default team, even if something else identifies the team.
    if (!team || (token.isWrong && team !== defaultTeam)) {
      const { fields } = limiter.admit(clientOf(defaultTeam, ip, requestsPerMinute), context);
      if (!team) {
        context.ownLines += fields;
        throw new Problem('unauthorized', { authenticate: 'Bearer realm="sendgate"' });
      }
    }
    return callerOf(req, team.name, clientOf(team, ip, requestsPerMinute), lines);
  }

  #checkHost(req: IncomingMessage): void {
    if (!this.#rules.isAllowedHost(req)) throw new Problem('misdirected-request');
  }

  /** Whether header fields alone identify the caller: not with another method, a host in the target, or stripped tokens. */
  #isToldByHeaders(req: IncomingMessage): boolean {
    const { method, url } = req;
    return (
      (method === 'GET' || method === 'HEAD') && url?.startsWith('/') === true && this.#credentials.areInHeaders(req)
    );
  }
}

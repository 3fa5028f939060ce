/**
 * Who asks: host, origin, address and team, in this order, ahead of all that a request can make Sendgate do.
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

export interface IdentifyParts {
  readonly isAllowedHost: HostRule;
  readonly browserGuard: BrowserGuard;
  readonly addresses: Addresses;
  readonly teams: Teams;
  /** Requests a minute of a client whose team has no limit. */
  readonly requestsPerMinute: number;
  /** Whether a target is open to every origin and team. */
  readonly isOpen: (target: string) => boolean;
  readonly takeForeignTokens: TakeForeignTokens;
  /** Counts wrong tokens, and callers without one where one is required. */
  readonly limiter: Limiter;
}

export class Identification {
  readonly #parts: IdentifyParts;
  readonly #credentials: Credentials;
  readonly #remembered = new RememberedCallers();

  constructor(parts: IdentifyParts) {
    this.#parts = parts;
    this.#credentials = new Credentials(parts.teams, parts.takeForeignTokens);
  }

  /** Takes foreign credentials off a request. Has to run first, so that nothing after it sees them. */
  receive(req: IncomingMessage): void {
    this.#credentials.receive(req);
  }

  /**
   * The caller of a request; undefined for a preflight, which has been answered. Adds to the response's header what it has to
   * carry, also when the request is refused.
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

  /** The site holds no data: everybody who knows the host may open it, and is counted apart. */
  #visitor(req: IncomingMessage): Caller {
    this.#checkHost(req);
    return callerOf(req, defaultTeam.name, visitorOf(this.#parts.addresses.of(req)));
  }

  #stranger(req: IncomingMessage, context: RequestContext): Caller | undefined {
    this.#checkHost(req);
    const { browserGuard } = this.#parts;
    const lines = browserGuard.lines(req);
    context.ownLines += lines;
    browserGuard.check(req);
    const preflight = browserGuard.preflight(req);
    if (preflight === undefined) return this.#member(req, context, lines);
    // It comes without the token of the request that it asks for, and costs what a refusal costs: it is not counted.
    context.answer(204, preflight);
    return undefined;
  }

  /** The caller as one of a team, the default team included. */
  #member(req: IncomingMessage, context: RequestContext, lines: string): Caller {
    const { addresses, teams, requestsPerMinute, limiter } = this.#parts;
    const ip = addresses.of(req);
    const token = this.#credentials.check(req);
    const team = teams.of(req, ip, token.team);
    // Guesses count for their address, as a client without a team, whatever else recognises the request.
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
    if (!this.#parts.isAllowedHost(req)) throw new Problem('misdirected-request');
  }

  /** Whether header fields alone tell the caller: not with another method, a host in the target, or after tokens were taken off. */
  #isToldByHeaders(req: IncomingMessage): boolean {
    const { method, url } = req;
    return (
      (method === 'GET' || method === 'HEAD') && url?.startsWith('/') === true && this.#credentials.areInHeaders(req)
    );
  }
}

/**
 * Who asks, and whether they may: host, origin, address, team, limit, in this order, ahead of all that a request can make
 * Sendgate do. The same for every way that a request can take.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Exchange, Identity } from '../http/request-context.ts';
import { Problem } from '../problems.ts';
import type { Addresses } from './address.ts';
import type { BrowserGuard } from './browser-guard.ts';
import type { HostRule } from './host-guard.ts';
import type { Client, RateLimit } from './rate-limit/rate-limit.ts';
import { bearerToken, defaultTeam, type Team, type Teams } from './teams.ts';

interface Parts {
  readonly isAllowedHost: HostRule;
  readonly browserGuard: BrowserGuard;
  readonly addresses: Addresses;
  readonly teams: Teams;
  readonly rateLimit: RateLimit;
  /** Whether a target is open to every origin and team. */
  readonly isOpen: (target: string) => boolean;
  /**
   * Takes off a request the credentials that are meant for Constant Contact. Returns the tokens among them, for one of ours may
   * stand in their place; undefined where what it carries is meant for us.
   */
  readonly takeForeignTokens: (req: IncomingMessage) => readonly string[] | undefined;
}

/** Somebody who may ask, until the headers change. */
export interface Caller {
  /** The headers, as they came. */
  readonly rawHeaders: readonly string[];
  readonly client: Client;
  readonly identity: Identity;
  /** Lines of the answer's head. */
  readonly lines: string;
}

export class Callers {
  readonly #parts: Parts;
  /** Whose the last request of each connection was. */
  readonly #lastCallers = new WeakMap<Socket, Caller>();
  /** For requests whose tokens were taken off them: the team that one of these belongs to. */
  readonly #named = new WeakMap<IncomingMessage, { readonly place: number | undefined }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Takes foreign credentials off a request. Has to run first, so that nothing after it sees them. */
  receive(req: IncomingMessage): void {
    const tokens = this.#parts.takeForeignTokens(req);
    if (tokens) this.#named.set(req, { place: this.#parts.teams.placeOf(tokens) });
  }

  /**
   * The caller of a request that has passed `receive` and may be answered; undefined for a preflight, which has been answered.
   * Gathers what the head of the answer has to carry, also when the request is refused. Counts nothing but wrong tokens and
   * unknown callers: the handler of the request counts it.
   *
   * @throws Problem `misdirected-request`, `origin-not-allowed`, `unauthorized` or `rate-limited`
   */
  admit(req: IncomingMessage, exchange: Exchange): Caller | undefined {
    const { isOpen, rateLimit } = this.#parts;
    const isVisit = isOpen(req.url ?? '');
    const known = isVisit ? undefined : this.#known(req);
    if (known) exchange.head += known.lines;
    const caller = known ?? (isVisit ? this.#visitor(req) : this.#identify(req, exchange));
    if (!caller) return undefined;
    exchange.identify(caller.identity);
    rateLimit.check(caller.client, exchange);
    if (!known && !isVisit) this.#remember(req, caller);
    return caller;
  }

  /** The site holds no data: everybody who knows the host may open it, and is counted apart. */
  #visitor(req: IncomingMessage): Caller {
    const { isAllowedHost, addresses, rateLimit } = this.#parts;
    if (!isAllowedHost(req)) throw new Problem('misdirected-request');
    const client = rateLimit.visitorOf(addresses.of(req));
    return callerOf(req, defaultTeam, client, '');
  }

  /** A client sends the same headers again and again: while they are so to the letter, they are not judged another time. */
  #known(req: IncomingMessage): Caller | undefined {
    const last = this.#isPlain(req) ? this.#lastCallers.get(req.socket) : undefined;
    return last && isSame(last.rawHeaders, req.rawHeaders) ? last : undefined;
  }

  #remember(req: IncomingMessage, caller: Caller): void {
    // A token is not kept.
    if (this.#isPlain(req) && req.headers.authorization === undefined) this.#lastCallers.set(req.socket, caller);
  }

  /** Whether headers alone tell the caller: not with another method, with a host in the target, or after tokens were taken off. */
  #isPlain(req: IncomingMessage): boolean {
    const { method, url } = req;
    return (method === 'GET' || method === 'HEAD') && url?.startsWith('/') === true && !this.#named.has(req);
  }

  #identify(req: IncomingMessage, exchange: Exchange): Caller | undefined {
    const { isAllowedHost, browserGuard, addresses, teams, rateLimit } = this.#parts;
    if (!isAllowedHost(req)) throw new Problem('misdirected-request');
    const lines = browserGuard.lines(req);
    exchange.head += lines;
    browserGuard.check(req);
    const preflight = browserGuard.preflight(req);
    if (preflight !== undefined) {
      // It comes without the token of the request that it asks for, and costs what a refusal costs: it is not counted.
      exchange.answer(204, preflight);
      return undefined;
    }

    const ip = addresses.of(req);
    const { place, isTokenWrong } = this.#tokenOf(req);
    const team = teams.of(req, ip, place);
    // Guesses count for their address, as a client without a team, whatever else recognises the request.
    if (!team || (isTokenWrong && team !== defaultTeam)) {
      const stranger = rateLimit.clientOf(defaultTeam, ip);
      rateLimit.check(stranger, exchange);
      const limits = rateLimit.count(stranger);
      if (!team) {
        exchange.head += limits;
        throw new Problem('unauthorized', { authenticate: 'Bearer realm="sendgate"' });
      }
    }
    return callerOf(req, team, rateLimit.clientOf(team, ip), lines);
  }

  /** The team that a request's token belongs to. One for Constant Contact, which old programs send with every call, is no guess. */
  #tokenOf(req: IncomingMessage): { readonly place: number | undefined; readonly isTokenWrong: boolean } {
    const { teams } = this.#parts;
    const named = this.#named.get(req);
    const token = named || !teams.takeTokens ? undefined : bearerToken(req.headers.authorization);
    if (token === undefined) return { place: named?.place, isTokenWrong: false };
    const place = teams.placeOf([token]);
    return { place, isTokenWrong: place === undefined };
  }
}

function callerOf({ rawHeaders }: IncomingMessage, { name }: Team, client: Client, lines: string): Caller {
  return { rawHeaders, client, identity: { team: name, client: client.name }, lines };
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  for (let n = 0; n < some.length; n++) {
    if (some[n] !== others[n]) return false;
  }
  return true;
}

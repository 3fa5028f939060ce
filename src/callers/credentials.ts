/**
 * Tokens in requests: those for Sendgate, and those that v2 programs send for Constant Contact.
 */
import type { IncomingMessage } from 'node:http';
import { bearerToken, type Team, type Teams } from './teams.ts';

/**
 * Strips credentials for Constant Contact from a request. Returns the tokens among them, since one can be a team's; undefined if
 * the request's credentials are for Sendgate.
 */
export type TakeForeignTokens = (req: IncomingMessage) => readonly string[] | undefined;

interface TokenCheck {
  /** The team of the token. */
  readonly team: Team | undefined;
  /** Whether the request has a token for Sendgate that belongs to no team: a guess. */
  readonly isWrong: boolean;
}

export class Credentials {
  teams: Teams;
  readonly #takeForeignTokens: TakeForeignTokens;
  /** Requests with stripped tokens, and these. */
  readonly #taken = new WeakMap<IncomingMessage, readonly string[]>();

  constructor(teams: Teams, takeForeignTokens: TakeForeignTokens) {
    this.teams = teams;
    this.#takeForeignTokens = takeForeignTokens;
  }

  /** Strips tokens for Constant Contact from a request. */
  receive(req: IncomingMessage): void {
    const tokens = this.#takeForeignTokens(req);
    if (tokens) this.#taken.set(req, tokens);
  }

  /** Whether all tokens of a request are in its header fields: none was stripped. */
  areInHeaders(req: IncomingMessage): boolean {
    return !this.#taken.has(req);
  }

  /**
   * Finds the team of a request's token, of those that are valid now: a request may have waited for those before it. A token for
   * Constant Contact, which v2 programs always send, is not a guess.
   */
  check(req: IncomingMessage): TokenCheck {
    const taken = this.#taken.get(req);
    if (taken) return { team: this.teams.byToken(taken), isWrong: false };
    const token = this.teams.acceptTokens ? bearerToken(req.headers.authorization) : undefined;
    if (token === undefined) return { team: undefined, isWrong: false };
    const team = this.teams.byToken([token]);
    return { team, isWrong: team === undefined };
  }
}

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
  /** Requests with stripped tokens, and the team of one of these. */
  readonly #taken = new WeakMap<IncomingMessage, { readonly team: Team | undefined }>();

  constructor(teams: Teams, takeForeignTokens: TakeForeignTokens) {
    this.teams = teams;
    this.#takeForeignTokens = takeForeignTokens;
  }

  /** Strips tokens for Constant Contact from a request. */
  receive(req: IncomingMessage): void {
    const tokens = this.#takeForeignTokens(req);
    if (tokens) this.#taken.set(req, { team: this.teams.byToken(tokens) });
  }

  /** Whether all tokens of a request are in its header fields: none was stripped. */
  areInHeaders(req: IncomingMessage): boolean {
    return !this.#taken.has(req);
  }

  /** Finds the team of a request's token. A token for Constant Contact, which v2 programs always send, is not a guess. */
  check(req: IncomingMessage): TokenCheck {
    const taken = this.#taken.get(req);
    const token = taken || !this.teams.acceptTokens ? undefined : bearerToken(req.headers.authorization);
    if (token === undefined) return { team: taken?.team, isWrong: false };
    const team = this.teams.byToken([token]);
    return { team, isWrong: team === undefined };
  }
}

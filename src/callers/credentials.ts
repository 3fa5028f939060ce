/**
 * The tokens of requests: those that are meant for Sendgate, and those that old programs send for Constant Contact.
 */
import type { IncomingMessage } from 'node:http';
import { bearerToken, type Team, type Teams } from './teams.ts';

/**
 * Takes off a request the credentials that are meant for Constant Contact. Returns the tokens among them, for one of ours may
 * stand in their place; undefined where what the request carries is meant for us.
 */
export type TakeForeignTokens = (req: IncomingMessage) => readonly string[] | undefined;

interface TokenCheck {
  /** The team that the token belongs to. */
  readonly team: Team | undefined;
  /** Whether the request carries a token for Sendgate that is no team's: a guess. */
  readonly isWrong: boolean;
}

export class Credentials {
  readonly #teams: Teams;
  readonly #takeForeignTokens: TakeForeignTokens;
  /** Requests whose tokens were taken off, and the team that one of these belonged to. */
  readonly #taken = new WeakMap<IncomingMessage, { readonly team: Team | undefined }>();

  constructor(teams: Teams, takeForeignTokens: TakeForeignTokens) {
    this.#teams = teams;
    this.#takeForeignTokens = takeForeignTokens;
  }

  /** Takes foreign tokens off a request. */
  receive(req: IncomingMessage): void {
    const tokens = this.#takeForeignTokens(req);
    if (tokens) this.#taken.set(req, { team: this.#teams.byToken(tokens) });
  }

  /** Whether the header fields of a request say all that is known of its tokens. */
  areInHeaders(req: IncomingMessage): boolean {
    return !this.#taken.has(req);
  }

  /** A token for Constant Contact, which old programs send with every call, is no guess. */
  check(req: IncomingMessage): TokenCheck {
    const taken = this.#taken.get(req);
    const token = taken || !this.#teams.acceptTokens ? undefined : bearerToken(req.headers.authorization);
    if (token === undefined) return { team: taken?.team, isWrong: false };
    const team = this.#teams.byToken([token]);
    return { team, isWrong: team === undefined };
  }
}

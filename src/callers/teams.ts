/**
 * Which team a request belongs to.
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Addresses } from './address.ts';
import { type Ip, networkRule } from './ip.ts';

export interface TeamOptions {
  readonly name: string;
  /** Its share of the upstream quota, in proportion to those of others. */
  readonly weight: number;
  /** Requests a minute of the whole team; without it, of each of its clients, as for everybody. */
  readonly requestsPerMinute?: number | undefined;
  /** Addresses and CIDR ranges of its clients. */
  readonly networks: readonly string[];
  /** A header that a trusted proxy sets. From anyone else it means nothing. */
  readonly header?: { readonly name: string; readonly value: string } | undefined;
  /** SHA-256 digests, in hex, of bearer tokens. */
  readonly tokensSha256: readonly string[];
}

export interface Team {
  readonly name: string;
  readonly weight: number;
  readonly requestsPerMinute: number | undefined;
}

/** Callers that no team recognises. */
export const defaultTeam: Team = { name: 'default', weight: 1, requestsPerMinute: undefined };

interface Recognised extends Team {
  readonly matches: (req: IncomingMessage, ip: Ip | undefined) => boolean;
}

export class Teams {
  readonly #teams: readonly Recognised[];
  readonly #required: boolean;
  /**
   * Places of teams in the list, by digest. A look-up takes as long as it takes for a digest, which nobody can choose:
   * its time tells nothing of tokens.
   */
  readonly #byToken: ReadonlyMap<string, number>;

  /** @param required whether the unrecognised are refused */
  constructor(teams: readonly TeamOptions[], required: boolean, addresses: Addresses) {
    this.#required = required;
    this.#teams = teams.map((team) => ({
      name: team.name,
      weight: team.weight,
      requestsPerMinute: team.requestsPerMinute,
      matches: matcher(team, addresses),
    }));
    const tokens = teams.flatMap(({ tokensSha256 }, place) =>
      tokensSha256.map((digest) => [digest.toLowerCase(), place] as const),
    );
    this.#byToken = new Map(tokens.reverse()); // The first team that has a token keeps it.
  }

  /** Whether any team is recognised by tokens. */
  get takeTokens(): boolean {
    return this.#byToken.size > 0;
  }

  /** All teams, the default one included. */
  get all(): readonly Team[] {
    return [...this.#teams, defaultTeam];
  }

  /** The place in the list of the first team that one of these tokens belongs to. */
  placeOf(tokens: readonly string[]): number | undefined {
    if (!this.takeTokens) return undefined;
    for (const token of tokens) {
      const place = this.#byToken.get(digestOf(token));
      if (place !== undefined) return place;
    }
    return undefined;
  }

  /**
   * The first team, in the order of the configuration, that recognises the request; undefined where none does, and one is
   * required.
   *
   * @param ip its address
   * @param named the place of the team whose token it carries
   */
  of(req: IncomingMessage, ip: Ip | undefined, named: number | undefined): Team | undefined {
    const team = this.#teams.find(({ matches }, place) => place === named || matches(req, ip));
    return team ?? (this.#required ? undefined : defaultTeam);
  }
}

function matcher({ networks, header }: TeamOptions, addresses: Addresses): Recognised['matches'] {
  const isInside = networkRule(networks);
  const headerName = header?.name.toLowerCase();
  return (req, ip) =>
    (ip !== undefined && isInside(ip)) ||
    (headerName !== undefined && req.headers[headerName] === header?.value && addresses.isFromProxy(req, headerName));
}

/** The token in an `Authorization` header. */
export const bearerToken = (authorization = '') => /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];

const digestOf = (token: string) => hash('sha256', token, 'hex');

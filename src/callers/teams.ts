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
  /** Requests a minute of the whole team; without it, the limit of everybody holds for each of its clients. */
  readonly requestsPerMinute?: number | undefined;
  /** Addresses and CIDR ranges of its clients. */
  readonly networks: readonly string[];
  /** A header that a trusted proxy sets. From any other peer it is ignored. */
  readonly header?: { readonly name: string; readonly value: string } | undefined;
  /** SHA-256 digests, in hex, of bearer tokens. */
  readonly tokensSha256: readonly string[];
}

export interface Team {
  readonly name: string;
  readonly weight: number;
  readonly requestsPerMinute: number | undefined;
}

/** The team of callers that no other team recognises. */
export const defaultTeam: Team = { name: 'default', weight: 1, requestsPerMinute: undefined };

/** The teams that share the quota. Where callers have to be of a team, the default team has no share. */
export const sharingTeams = <T>(teams: readonly T[], required: boolean) => (required ? teams : [...teams, defaultTeam]);

interface ConfiguredTeam extends Team {
  readonly matches: (req: IncomingMessage, ip: Ip | undefined) => boolean;
}

export class Teams {
  readonly #teams: readonly ConfiguredTeam[];
  readonly #required: boolean;
  /** By digest of a token. The time of a look-up depends on the digest, which nobody can choose: it tells nothing of tokens. */
  readonly #byToken: ReadonlyMap<string, Team>;

  /** @param required whether callers that no team recognises are refused */
  constructor(teams: readonly TeamOptions[], required: boolean, addresses: Addresses) {
    this.#required = required;
    this.#teams = teams.map((team) => ({
      name: team.name,
      weight: team.weight,
      requestsPerMinute: team.requestsPerMinute,
      matches: matcher(team, addresses),
    }));
    const tokens = this.#teams.flatMap((team, n) =>
      (teams[n]?.tokensSha256 ?? []).map((digest) => [digest.toLowerCase(), team] as const),
    );
    this.#byToken = new Map(tokens.reverse()); // The first team that has a token keeps it.
  }

  /** Whether any team is recognised by tokens. */
  get acceptTokens(): boolean {
    return this.#byToken.size > 0;
  }

  /** All teams, the default one included. */
  get all(): readonly Team[] {
    return [...this.#teams, defaultTeam];
  }

  /** The team of the first of these tokens that belongs to one. */
  byToken(tokens: readonly string[]): Team | undefined {
    if (!this.acceptTokens) return undefined;
    for (const token of tokens) {
      const team = this.#byToken.get(digestOf(token));
      if (team) return team;
    }
    return undefined;
  }

  /**
   * The first team, in the order of the configuration, that recognises the request; the default team where none does;
   * undefined where none does and one is required.
   *
   * @param ip the address of the request
   * @param byToken the team whose token it carries
   */
  of(req: IncomingMessage, ip: Ip | undefined, byToken: Team | undefined): Team | undefined {
    const team = this.#teams.find((one) => one === byToken || one.matches(req, ip));
    return team ?? (this.#required ? undefined : defaultTeam);
  }
}

function matcher({ networks, header }: TeamOptions, addresses: Addresses): ConfiguredTeam['matches'] {
  const isInside = networkRule(networks);
  const headerName = header?.name.toLowerCase();
  return (req, ip) =>
    (ip !== undefined && isInside(ip)) ||
    (headerName !== undefined && req.headers[headerName] === header?.value && addresses.isFromProxy(req, headerName));
}

/** The token in an `Authorization` header. */
export const bearerToken = (authorization = '') => /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];

const digestOf = (token: string) => hash('sha256', token, 'hex');

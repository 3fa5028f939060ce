/**
 * Finds the team of a request.
 */
import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Addresses } from './address.ts';
import { type Ip, networkRule } from './ip.ts';

export interface TeamOptions {
  readonly name: string;
  /** Weight of its share of the quota, relative to other teams. */
  readonly weight: number;
  /** Requests per minute of the whole team; without it, `callers.requestsPerMinute` limits each of its clients. */
  readonly requestsPerMinute?: number | undefined;
  /** Addresses and CIDR ranges of its clients. */
  readonly networks: readonly string[];
  /** A header set by a trusted proxy, and one of its values; ignored from any other peer. */
  readonly header?: { readonly name: string; readonly value: string } | undefined;
  /** SHA-256 digests, in hex, of bearer tokens. */
  readonly tokensSha256: readonly string[];
}

export interface Team {
  readonly name: string;
  readonly weight: number;
  readonly requestsPerMinute: number | undefined;
}

/** The team of callers that match no other team. */
export const defaultTeam: Team = { name: 'default', weight: 1, requestsPerMinute: undefined };

/** The teams that share the quota. The default team has no share if `callers.required` is set. */
export const sharingTeams = <T>(teams: readonly T[], required: boolean) => (required ? teams : [...teams, defaultTeam]);

interface ConfiguredTeam extends Team {
  readonly matches: (req: IncomingMessage, ip: Ip | undefined) => boolean;
}

export class Teams {
  readonly #teams: readonly ConfiguredTeam[];
  readonly #required: boolean;
  /** By digest of a token. Lookup time depends on the digest, which a caller cannot choose, so it reveals nothing about tokens. */
  readonly #byToken: ReadonlyMap<string, Team>;

  /** @param required whether callers that match no team are refused */
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
    this.#byToken = new Map(tokens.reverse()); // A token listed twice belongs to the first team.
  }

  /** Whether any team has tokens. */
  get acceptTokens(): boolean {
    return this.#byToken.size > 0;
  }

  /** All teams, the default one included. */
  get all(): readonly Team[] {
    return [...this.#teams, defaultTeam];
  }

  /** Returns the team of the first token that belongs to one. */
  byToken(tokens: readonly string[]): Team | undefined {
    if (!this.acceptTokens) return undefined;
    for (const token of tokens) {
      const team = this.#byToken.get(digestOf(token));
      if (team) return team;
    }
    return undefined;
  }

  /**
   * Returns the first team, in configured order, that matches the request. Without a match, returns the default team, or
   * undefined if a team is required.
   *
   * @param ip the address of the request
   * @param byToken the team of its token
   */
  of(req: IncomingMessage, ip: Ip | undefined, byToken: Team | undefined): Team | undefined {
    const team = this.#teams.find((one) => one === byToken || one.matches(req, ip));
    return team ?? (this.#required ? undefined : defaultTeam);
  }
}

function matcher({ networks, header }: TeamOptions, addresses: Addresses): ConfiguredTeam['matches'] {
  const isInside = networkRule(networks);
  const isSent = header ? headerRule(header, addresses) : () => false;
  return (req, ip) => (ip !== undefined && isInside(ip)) || isSent(req);
}

/** Quoted strings may hold commas (RFC 9110 §5.6.4). One that is never closed holds the rest: nobody joins a team by a quote. */
const listMember = /(?:"(?:[^"\\]|\\.?)*(?:"|$)|[^,"])+/gs;

/**
 * Makes a rule for a header that is `value`, or a list of values (RFC 9110 §5.6.1) with it among them: a single sign-on proxy sends
 * all groups of a person. Node joins repeated fields with commas.
 */
function headerRule({ name, value }: NonNullable<TeamOptions['header']>, addresses: Addresses) {
  const key = name.toLowerCase();
  return (req: IncomingMessage): boolean => {
    const given = String(req.headers[key] ?? '');
    // Only a proxy's list is split: everyone can send a long one.
    if (!given.includes(value) || !addresses.isFromProxy(req, key)) return false;
    return given === value || (given.match(listMember) ?? []).some((one) => one.trim() === value);
  };
}

/** Extracts the token from an `Authorization` header. */
export const bearerToken = (authorization = '') => /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization)?.[1];

const digestOf = (token: string) => hash('sha256', token, 'hex');

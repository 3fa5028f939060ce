/**
 * Which team a request belongs to.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { Problem } from '../problems.ts';
import type { Addresses } from './address.ts';

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

/** Whoever no team recognises. */
export const defaultTeam: Team = { name: 'default', weight: 1, requestsPerMinute: undefined };

interface Recognised extends Team {
  readonly matches: (req: IncomingMessage, address: string, token: Buffer | undefined) => boolean;
}

export class Teams {
  readonly #teams: readonly Recognised[];
  readonly #addresses: Addresses;
  readonly #required: boolean;
  readonly #takesTokens: boolean;

  /** @param required whether the unrecognised are refused */
  constructor(teams: readonly TeamOptions[], required: boolean, addresses: Addresses) {
    this.#addresses = addresses;
    this.#required = required;
    this.#takesTokens = teams.some(({ tokensSha256 }) => tokensSha256.length > 0);
    this.#teams = teams.map((team) => ({
      name: team.name,
      weight: team.weight,
      requestsPerMinute: team.requestsPerMinute,
      matches: matcher(team, addresses),
    }));
  }

  /** All teams, the default one included. */
  get all(): readonly Team[] {
    return [...this.#teams, defaultTeam];
  }

  /**
   * The first team, in the order of the configuration, that recognises the request.
   *
   * @throws Problem `unauthorized` when none does and one is required
   */
  of(req: IncomingMessage): Team {
    if (this.#teams.length === 0 && !this.#required) return defaultTeam;
    const address = this.#addresses.of(req);
    const token = this.#takesTokens ? bearerDigest(req.headers.authorization) : undefined;
    const team = this.#teams.find(({ matches }) => matches(req, address, token));
    if (!team && this.#required) throw new Problem('unauthorized', { authenticate: 'Bearer realm="sendgate"' });
    return team ?? defaultTeam;
  }
}

function matcher({ networks, header, tokensSha256 }: TeamOptions, addresses: Addresses): Recognised['matches'] {
  const ranges = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) ranges.addAddress(address, family);
    else ranges.addSubnet(address, Number(prefix), family);
  }
  const digests = tokensSha256.map((digest) => Buffer.from(digest, 'hex'));
  const headerName = header?.name.toLowerCase();

  return (req, address, token) => {
    if (networks.length > 0 && ranges.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return true;
    if (headerName !== undefined && req.headers[headerName] === header?.value && addresses.isFromProxy(req))
      return true;
    // Every digest is compared, so that the time tells nothing of which came close.
    return token !== undefined && digests.filter((digest) => timingSafeEqual(digest, token)).length > 0;
  };
}

function bearerDigest(authorization: string | undefined): Buffer | undefined {
  const token = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(authorization ?? '')?.[1];
  return token === undefined ? undefined : createHash('sha256').update(token).digest();
}

/**
 * Decides which requests count as one client.
 */
import { formatIp, type Ip, isIpv4 } from '../ip.ts';
import type { Team } from '../teams.ts';

/** A client and the limit that counts its requests. */
export interface Client {
  /** Team and network. Clients share the quota under it, even if the rate limit counts the team as a whole. */
  readonly name: string;
  /** Key of its count: its name, or its team's. */
  readonly key: string;
  /** Name of its limit: its team's name. */
  readonly policy: string;
  /** Requests per minute. */
  readonly limit: number;
}

/** The policy of visitors of the site. No team can have this name. */
const sitePolicy = '(site)';

/** Files of the site per address and minute: an office behind one address opens the explorer three hundred times. They cost no call. */
const siteRequestsPerMinute = 3_000;

/**
 * Returns the client of a request, by team and network. A team with a limit counts as a whole.
 *
 * @param requestsPerMinute of a client, unless its team has a limit
 */
export function clientOf(team: Team, ip: Ip | undefined, requestsPerMinute: number): Client {
  const { name: policy, requestsPerMinute: limit } = team;
  const name = `${policy} ${networkOf(ip)}`;
  return limit === undefined
    ? { name, key: name, policy, limit: requestsPerMinute }
    : { name, key: policy, policy, limit };
}

/** Returns a visitor of the site, counted separately from the same address's API requests. */
export function visitorOf(ip: Ip | undefined): Client {
  const name = `${sitePolicy} ${networkOf(ip)}`;
  return { name, key: name, policy: sitePolicy, limit: siteRequestsPerMinute };
}

/** Returns the network of an address: for IPv6 its /56, since a household or a rented server has a whole one (RFC 6177). */
export function networkOf(ip: Ip | undefined): string {
  if (ip === undefined) return 'unknown';
  if (isIpv4(ip)) return formatIp(ip);
  const [first, second, third, fourth = 0] = ip;
  return `${first?.toString(16)}:${second?.toString(16)}:${third?.toString(16)}:${(fourth & 0xff00).toString(16)}::/56`;
}

/** Extracts the team from a client's key. */
export const teamOfClient = (key: string) => key.split(' ', 1)[0] ?? '';

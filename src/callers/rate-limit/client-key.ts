/**
 * Who is counted as one client.
 */
import { formatIp, type Ip, isIpv4 } from '../ip.ts';
import type { Team } from '../teams.ts';

/** Who asks, and under which limit its requests are counted. */
export interface Client {
  /** Team and network: also where the team is counted as a whole, its clients share with each other. */
  readonly name: string;
  /** Under which its requests are counted: its name, or that of its team. */
  readonly key: string;
  /** The name of its limit: that of its team. */
  readonly policy: string;
  /** Requests a minute. */
  readonly limit: number;
}

/** The policy of those who open the site. No team can have this name. */
const sitePolicy = '(site)';

/** Files of the site for one address a minute: the explorer, opened fifty times. They cost no call, and little else. */
const siteRequestsPerMinute = 600;

/**
 * The client of a request: its team and its network. A team that has a limit is counted as a whole.
 *
 * @param requestsPerMinute of each client whose team has no limit
 */
export function clientOf(team: Team, ip: Ip | undefined, requestsPerMinute: number): Client {
  const { name: policy, requestsPerMinute: limit } = team;
  const name = `${policy} ${networkOf(ip)}`;
  return limit === undefined
    ? { name, key: name, policy, limit: requestsPerMinute }
    : { name, key: policy, policy, limit };
}

/** A client that opens the site, counted apart from what the same address asks of the resources. */
export function visitorOf(ip: Ip | undefined): Client {
  const name = `${sitePolicy} ${networkOf(ip)}`;
  return { name, key: name, policy: sitePolicy, limit: siteRequestsPerMinute };
}

/** The network of an address: of IPv6 the /56, since a household or a rented server has a whole one to send from (RFC 6177). */
export function networkOf(ip: Ip | undefined): string {
  if (ip === undefined) return 'unknown';
  if (isIpv4(ip)) return formatIp(ip);
  const [first, second, third, fourth = 0] = ip;
  return `${first?.toString(16)}:${second?.toString(16)}:${third?.toString(16)}:${(fourth & 0xff00).toString(16)}::/56`;
}

/** The team in the key of a client. */
export const teamOfClient = (key: string) => key.split(' ', 1)[0] ?? '';

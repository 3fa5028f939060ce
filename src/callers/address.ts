/**
 * Determines the address of a client, also behind proxies.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { formatIp, type Ip, networkRule, parseHop, parseIp } from './ip.ts';

/** Hops of `X-Forwarded-For` read, from the right: more than any chain of proxies has. */
const maxHops = 16;

/** Fits an IPv6 address with embedded IPv4, zone, brackets, port and surrounding blanks. */
const maxHopLength = 80;

/** Optional whitespace around a list's items (RFC 9110 §5.6.1). */
const blanks = /^[ \t]+|[ \t]+$/g;

/** Ranges of the names in `server.trustProxy` (RFC 1122, 3927, 1918, 4291, 4193). */
const namedRanges: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Called when a header is ignored because the peer is not trusted. */
type OnIgnored = (peer: string, header: string) => void;

export class Addresses {
  readonly #isTrusted: (ip: Ip) => boolean;
  readonly #onIgnored: OnIgnored;

  /**
   * @param trustProxy addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`
   */
  constructor(trustProxy: readonly string[], onIgnored: OnIgnored = () => {}) {
    this.#isTrusted = networkRule(trustProxy.flatMap((name) => namedRanges[name] ?? [name]));
    this.#onIgnored = onIgnored;
  }

  /**
   * Returns the peer's address or, behind trusted proxies, the nearest untrusted one in `X-Forwarded-For`. An invalid hop ends
   * the search: everything left of it can be forged, so the proxy that wrote it counts. Drops ports and zones. Undefined for a
   * closed connection.
   */
  of(req: IncomingMessage): Ip | undefined {
    const peer = parseIp(req.socket.remoteAddress ?? '');
    const forwarded = req.headers['x-forwarded-for'] as string | undefined;
    if (peer === undefined || forwarded === undefined) return peer;
    if (this.#isTrusted(peer)) return this.#nearest(peer, forwarded);
    this.#onIgnored(formatIp(peer), 'x-forwarded-for');
    return peer;
  }

  #nearest(peer: Ip, forwarded: string): Ip {
    let nearest = peer;
    let end = forwarded.length;
    for (let hop = 0; hop < maxHops && end > 0; hop++) {
      const comma = forwarded.lastIndexOf(',', end - 1);
      if (end - comma > maxHopLength) break;
      const text = forwarded.slice(comma + 1, end).replace(blanks, '');
      end = comma;
      if (text === '') continue;
      const ip = parseHop(text);
      if (!ip) break;
      nearest = ip;
      if (!this.#isTrusted(ip)) break;
    }
    return nearest;
  }

  /** Whether the peer of a connection is a trusted proxy. */
  isProxy({ remoteAddress = '' }: Socket): boolean {
    const peer = parseIp(remoteAddress);
    return peer !== undefined && this.#isTrusted(peer);
  }

  /** Whether a header reserved for trusted proxies comes from one. */
  isFromProxy(req: IncomingMessage, header: string): boolean {
    const peer = parseIp(req.socket.remoteAddress ?? '');
    if (peer === undefined) return false;
    const isTrusted = this.#isTrusted(peer);
    if (!isTrusted) this.#onIgnored(formatIp(peer), header);
    return isTrusted;
  }
}

/** Prefixes up to these are whole networks, not a few proxies: wider than an IPv4 subnet or an IPv6 link. */
const narrowestBroadPrefix = { ipv4: 23, ipv6: 63 } as const;

/** Returns the trusted ranges that are whole networks: a caller inside one can choose its address. */
export function broadRanges(trustProxy: readonly string[]): string[] {
  return trustProxy.filter((range) => {
    if (range in namedRanges) return range !== 'loopback';
    const [address = '', prefix] = range.split('/');
    return prefix !== undefined && Number(prefix) <= narrowestBroadPrefix[address.includes(':') ? 'ipv6' : 'ipv4'];
  });
}

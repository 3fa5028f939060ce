/**
 * The address of a client, behind proxies too.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { formatIp, type Ip, networkRule, parseHop, parseIp } from './ip.ts';

/** Hops of `X-Forwarded-For` that are read, from the right: more than any chain of proxies has. */
const maxHops = 32;

/** IPv6 with IPv4 at its end, a zone, brackets and a port, and blanks around it. */
const maxHopLength = 80;

/** Optional whitespace around a list's items (RFC 9110 §5.6.1). */
const blanks = /^[ \t]+|[ \t]+$/g;

/** What the names in `server.trustProxy` stand for (RFC 1122, 3927, 1918, 4291, 4193). */
const namedRanges: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Called when a header is ignored since its sender, the peer, is not trusted. */
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
   * The peer's address or, behind trusted proxies, the nearest one in `X-Forwarded-For` that is not trusted. A hop that is
   * no address ends the search: what stands left of it can be forged, so the proxy that has written it counts. Ports and
   * zones are dropped. Undefined for a connection that has ended.
   */
  of(req: IncomingMessage): Ip | undefined {
    const peer = parseIp(req.socket.remoteAddress ?? '');
    const forwarded = req.headers['x-forwarded-for'] as string | undefined;
    if (peer === undefined || forwarded === undefined) return peer;
    if (this.#isTrusted(peer)) return this.#nearest(peer, forwarded);
    this.#onIgnored(formatIp(peer), 'x-forwarded-for');
    return peer;
  }

  /** The same as text; `unknown` for a connection that has ended. */
  textOf(req: IncomingMessage): string {
    const ip = this.of(req);
    return ip ? formatIp(ip) : 'unknown';
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

  /** Whether a connection is a trusted proxy's. */
  isProxy({ remoteAddress = '' }: Socket): boolean {
    const peer = parseIp(remoteAddress);
    return peer !== undefined && this.#isTrusted(peer);
  }

  /** Whether a header that only trusted proxies may set has come from one. */
  isFromProxy(req: IncomingMessage, header: string): boolean {
    const peer = parseIp(req.socket.remoteAddress ?? '');
    if (peer === undefined) return false;
    const isTrusted = this.#isTrusted(peer);
    if (!isTrusted) this.#onIgnored(formatIp(peer), header);
    return isTrusted;
  }
}

/** Networks with more addresses than these are more than a few proxies: a subnet of IPv4, and a link of IPv6. */
const narrowestBroadPrefix = { ipv4: 23, ipv6: 63 } as const;

/** Of trusted proxies, those that are whole networks: callers may live in them, and choose their address. */
export function broadRanges(trustProxy: readonly string[]): string[] {
  return trustProxy.filter((range) => {
    if (range in namedRanges) return range !== 'loopback';
    const [address = '', prefix] = range.split('/');
    return prefix !== undefined && Number(prefix) <= narrowestBroadPrefix[address.includes(':') ? 'ipv6' : 'ipv4'];
  });
}

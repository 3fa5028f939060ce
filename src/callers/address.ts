/**
 * Where a request comes from.
 */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';

/** Hops of `X-Forwarded-For` that are read, from the right. Nobody has as many proxies. */
const maxHops = 32;

/** The longest spelling of an address: IPv6 with IPv4 at its end, a zone, brackets and a port. */
const maxAddressLength = 80;

/** What the names in `server.trustProxy` stand for (RFC 1122, 3927, 1918, 4291, 4193). */
const namedRanges: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Called when a header is ignored since its sender, the peer, is not trusted. */
type OnIgnored = (peer: string, header: string) => void;

export class Addresses {
  readonly #trusted: BlockList | undefined;
  readonly #onIgnored: OnIgnored;

  /**
   * @param trustProxy addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`
   */
  constructor(trustProxy: readonly string[], onIgnored: OnIgnored = () => {}) {
    this.#trusted = trustProxy.length === 0 ? undefined : networkList(trustProxy);
    this.#onIgnored = onIgnored;
  }

  /**
   * The peer's address or, behind trusted proxies, the nearest one in `X-Forwarded-For` that is not trusted. A hop that is
   * no address ends the search: what stands left of it is anybody's, so the hop that has written it counts. Ports and
   * zones are dropped, and every spelling of an address becomes one.
   */
  of(req: IncomingMessage): string {
    const peer = parseAddress(req.socket.remoteAddress ?? '');
    if (peer === undefined) return 'unknown'; // Its connection has ended.
    const forwarded = req.headers['x-forwarded-for'] as string | undefined;
    if (forwarded === undefined) return peer;
    if (!this.#isTrusted(peer)) {
      this.#onIgnored(peer, 'x-forwarded-for');
      return peer;
    }

    let nearest = peer;
    let end = forwarded.length;
    for (let hop = 0; hop < maxHops && end > 0; hop++) {
      const comma = forwarded.lastIndexOf(',', end - 1);
      const text = forwarded.slice(comma + 1, end).trim();
      end = comma;
      if (text === '') continue;
      const address = parseAddress(text);
      if (address === undefined) break;
      nearest = address;
      if (!this.#isTrusted(address)) break;
    }
    return nearest;
  }

  /** Whether a header that only trusted proxies may set has come from one. */
  isFromProxy(req: IncomingMessage, header: string): boolean {
    const peer = parseAddress(req.socket.remoteAddress ?? '');
    if (peer === undefined) return false;
    const isTrusted = this.#isTrusted(peer);
    if (!isTrusted) this.#onIgnored(peer, header);
    return isTrusted;
  }

  #isTrusted(address: string): boolean {
    return this.#trusted?.check(address, familyOf(address)) ?? false;
  }
}

/** Addresses and CIDR ranges as a list to check addresses against. */
export function networkList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks.flatMap((name) => namedRanges[name] ?? [name])) {
    const [address = '', prefix] = network.split('/');
    const family = familyOf(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

export const familyOf = (address: string) => (address.includes(':') ? 'ipv6' : 'ipv4');

/** `10.1.2.3`, `10.1.2.3:5678`, `[2001:db8::1]`, `[2001:db8::1]:4711`: as gateways write them. */
const withPort = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/;

/** One spelling for each address: IPv6 by RFC 5952, IPv4-mapped IPv6 as IPv4, no port, no zone. Undefined for anything else. */
export function parseAddress(text: string): string | undefined {
  if (text.length > maxAddressLength) return undefined;
  const [, bracketed, dotted] = withPort.exec(text) ?? [];
  const address = bracketed ?? dotted ?? text;
  const version = isIP(address);
  if (version === 0 || (version === 4 && bracketed !== undefined)) return undefined;
  if (version === 4) return address;
  const canonical = new SocketAddress({ address, family: 'ipv6' }).address;
  return canonical.startsWith('::ffff:') && canonical.includes('.') ? canonical.slice('::ffff:'.length) : canonical;
}

/** Networks with more addresses than these are more than a few proxies: a subnet of IPv4, and a link of IPv6. */
const narrowestBroadPrefix = { ipv4: 23, ipv6: 63 } as const;

/** Of trusted proxies, those that are whole networks: callers may live in them, and choose their address. */
export function broadRanges(trustProxy: readonly string[]): string[] {
  return trustProxy.filter((range) => {
    if (range === 'loopback') return false;
    const [address = '', prefix] = range.split('/');
    if (isIP(address) === 0) return true;
    return prefix !== undefined && Number(prefix) <= narrowestBroadPrefix[familyOf(address)];
  });
}

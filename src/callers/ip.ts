/**
 * IP addresses as numbers, in one form for both families. `net.isIP` validates them. Avoids `net.BlockList`, which takes several
 * microseconds of every hit; `test/ip.test.ts` compares the two.
 */
import { isIP, isIPv6, SocketAddress } from 'node:net';

/** Eight groups of 16 bits; IPv4 is IPv4-mapped IPv6 (RFC 4291 §2.5.5.2). */
export type Ip = readonly number[];

const groupCount = 8;
const groupBits = 16;
/** Groups in the prefix of IPv4-mapped addresses. */
const mappedGroups = 6;
const mappedPrefix: Ip = [0, 0, 0, 0, 0, 0xffff];

/** Parses an address without brackets and port; undefined for anything else. Drops a zone. */
export function parseIp(text: string): Ip | undefined {
  const family = isIP(text);
  if (family === 4) return [...mappedPrefix, ...ipv4Groups(text)];
  return family === 6 ? ipv6Groups(text) : undefined;
}

const inBrackets = /^\[([^\]]+)\](?::\d{1,5})?$/;
const ipv4AndPort = /^([\d.]+):\d{1,5}$/;

/** Parses an address, also as gateways write it: `10.1.2.3:5678`, `[2001:db8::1]` or `[2001:db8::1]:4711`. */
export function parseHop(text: string): Ip | undefined {
  const bare = inBrackets.exec(text)?.[1];
  if (bare !== undefined) return isIPv6(bare) ? parseIp(bare) : undefined;
  return parseIp(ipv4AndPort.exec(text)?.[1] ?? text);
}

function ipv4Groups(text: string): Ip {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

/** Parses a valid IPv6 address. */
function ipv6Groups(text: string): Ip {
  const [address = ''] = text.split('%', 1);
  const [before = '', behind] = address.split('::');
  const first = groupsIn(before);
  if (behind === undefined) return first;
  const last = groupsIn(behind);
  return [...first, ...Array<number>(groupCount - first.length - last.length).fill(0), ...last];
}

/** Parses groups, of which the last may be an IPv4 address. */
function groupsIn(text: string): Ip {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ipv4Groups(group) : Number.parseInt(group, 16)));
}

export function isIpv4(ip: Ip): boolean {
  for (let n = 0; n < 5; n++) {
    if (ip[n] !== 0) return false;
  }
  return ip[5] === 0xffff;
}

/** Formats an address canonically: dotted, or by RFC 5952. */
export function formatIp(ip: Ip): string {
  if (isIpv4(ip)) {
    const [high = 0, low = 0] = [ip[6], ip[7]];
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  }
  const address = ip.map((group) => group.toString(16)).join(':');
  return new SocketAddress({ address, family: 'ipv6' }).address;
}

/** Returns a rule that matches these addresses and CIDR ranges. */
export function networkRule(networks: readonly string[]): (ip: Ip) => boolean {
  const ranges = networks.map(rangeOf);
  return (ip) => {
    for (const range of ranges) {
      // A short IPv6 prefix, such as ::/8, must not match IPv4-mapped addresses.
      if (isIn(ip, range) && (range.groups >= mappedGroups || !isIpv4(ip))) return true;
    }
    return false;
  };
}

interface Range {
  readonly network: Ip;
  /** Whole groups of the prefix. */
  readonly groups: number;
  /** Right shift that leaves only prefix bits of the next group. */
  readonly shift: number;
}

function rangeOf(network: string): Range {
  const [address = '', prefix] = network.split('/');
  const ip = parseIp(address);
  if (!ip) throw new TypeError('a network has no address');
  const offset = address.includes(':') ? 0 : mappedGroups * groupBits;
  const bits = prefix === undefined ? groupCount * groupBits : Number(prefix) + offset;
  return { network: ip, groups: Math.floor(bits / groupBits), shift: groupBits - (bits % groupBits) };
}

/** Compares from the last group to the first, since most addresses differ at the end. */
function isIn(ip: Ip, { network, groups, shift }: Range): boolean {
  if (shift < groupBits && (ip[groups] ?? 0) >> shift !== (network[groups] ?? 0) >> shift) return false;
  for (let n = groups - 1; n >= 0; n--) {
    if (ip[n] !== network[n]) return false;
  }
  return true;
}

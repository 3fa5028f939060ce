/**
 * IP addresses as numbers, in one form for both families: `net.isIP` says what is one. `net.BlockList` is not used, since a check
 * takes several microseconds of every hit; `test/ip.test.ts` compares this with it.
 */
import { isIP, isIPv6, SocketAddress } from 'node:net';

/** Eight groups of 16 bits; IPv4 is IPv4-mapped IPv6 (RFC 4291 §2.5.5.2). */
export type Ip = readonly number[];

const groupCount = 8;
const groupBits = 16;
/** Groups of the prefix that IPv4 addresses have in IPv6. */
const mappedGroups = 6;
const mappedPrefix: Ip = [0, 0, 0, 0, 0, 0xffff];

/** An address without brackets and port; undefined for anything else. A zone is dropped. */
export function parseIp(text: string): Ip | undefined {
  const family = isIP(text);
  if (family === 4) return [...mappedPrefix, ...ipv4Groups(text)];
  return family === 6 ? ipv6Groups(text) : undefined;
}

const inBrackets = /^\[([^\]]+)\](?::\d{1,5})?$/;
const ipv4AndPort = /^([\d.]+):\d{1,5}$/;

/** An address as gateways write it, such as `10.1.2.3:5678`, `[2001:db8::1]` or `[2001:db8::1]:4711`, too. */
export function parseHop(text: string): Ip | undefined {
  const bare = inBrackets.exec(text)?.[1];
  if (bare !== undefined) return isIPv6(bare) ? parseIp(bare) : undefined;
  return parseIp(ipv4AndPort.exec(text)?.[1] ?? text);
}

function ipv4Groups(text: string): Ip {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

/** Of a text that is an IPv6 address. */
function ipv6Groups(text: string): Ip {
  const [address = ''] = text.split('%', 1);
  const [before = '', behind] = address.split('::');
  const first = groupsIn(before);
  if (behind === undefined) return first;
  const last = groupsIn(behind);
  return [...first, ...Array<number>(groupCount - first.length - last.length).fill(0), ...last];
}

/** The last of them may be an IPv4 address. */
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

/** The one spelling of an address: dotted, or as RFC 5952 has it. */
export function formatIp(ip: Ip): string {
  if (isIpv4(ip)) {
    const [high = 0, low = 0] = [ip[6], ip[7]];
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  }
  const address = ip.map((group) => group.toString(16)).join(':');
  return new SocketAddress({ address, family: 'ipv6' }).address;
}

/** Whether an address is one of these, or in one of these CIDR ranges. */
export function networkRule(networks: readonly string[]): (ip: Ip) => boolean {
  const ranges = networks.map(rangeOf);
  return (ip) => {
    for (const range of ranges) {
      // A short prefix of IPv6, such as ::/8, is not meant for IPv4.
      if (isIn(ip, range) && (range.groups >= mappedGroups || !isIpv4(ip))) return true;
    }
    return false;
  };
}

interface Range {
  readonly network: Ip;
  /** Whole groups of the prefix. */
  readonly groups: number;
  /** By how much the group behind them is shifted to leave the bits of the prefix. */
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

/** Compares from the last group to the first: that is where most addresses differ. */
function isIn(ip: Ip, { network, groups, shift }: Range): boolean {
  if (shift < groupBits && (ip[groups] ?? 0) >> shift !== (network[groups] ?? 0) >> shift) return false;
  for (let n = groups - 1; n >= 0; n--) {
    if (ip[n] !== network[n]) return false;
  }
  return true;
}

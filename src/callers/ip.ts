/**
 * IP addresses as numbers, ahead of every limit: `net.BlockList` and `net.SocketAddress` take a microsecond each, which is
 * six times as much for the 32 hops that a caller may send. `test/ip.test.ts` compares this with them.
 */
import { SocketAddress } from 'node:net';

/** Eight groups of 16 bits; IPv4 is IPv4-mapped IPv6 (RFC 4291 §2.5.5.2). */
export type Ip = readonly number[];

const groupCount = 8;
const groupBits = 16;
/** Of the prefix that IPv4 addresses have in IPv6. */
const mappedGroups = 6;

const [zero, nine, dot, colon, bracket, percent] = [0x30, 0x39, 0x2e, 0x3a, 0x5b, 0x25];

const noDigit = 16;
/** What a character is worth in hex, by its code. */
const hexDigits = Uint8Array.from({ length: 128 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? noDigit : digit;
});

/** An address without brackets and port; undefined for anything else. A zone is dropped. */
export function parseIp(text: string): Ip | undefined {
  const ip = blankIp();
  return readIp(text, 0, text.length, ip) ? ip : undefined;
}

/** To read into. */
export const blankIp = () => [0, 0, 0, 0, 0, 0, 0, 0];

/**
 * Reads an address out of a part of a text, as gateways write it, into `ip`: `10.1.2.3:5678`, `[2001:db8::1]`,
 * `[2001:db8::1]:4711` too. Returns false, with anything in `ip`, where there is none.
 */
export function readHop(text: string, start: number, end: number, ip: number[]): boolean {
  if (text.charCodeAt(start) === bracket) {
    const close = text.indexOf(']', start);
    const isWhole = close === end - 1 || (close !== -1 && isPort(text, close + 1, end));
    return isWhole && readIpv6(text, start + 1, close, ip);
  }
  if (isColonFirst(text, start, end)) return readIpv6(text, start, end, ip);
  const port = text.indexOf(':', start);
  if (port === -1 || port >= end) return readIpv4(text, start, end, ip);
  return isPort(text, port, end) && readIpv4(text, start, port, ip);
}

function readIp(text: string, start: number, end: number, ip: number[]): boolean {
  return isColonFirst(text, start, end) ? readIpv6(text, start, end, ip) : readIpv4(text, start, end, ip);
}

/** Whether the first mark in it is the one of IPv6. */
function isColonFirst(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === dot) return false;
    if (code === colon) return true;
  }
  return false;
}

/** A colon and one to five digits. */
function isPort(text: string, start: number, end: number): boolean {
  if (text.charCodeAt(start) !== colon || end - start < 2 || end - start > 6) return false;
  for (let at = start + 1; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < zero || code > nine) return false;
  }
  return true;
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

/** Tells whether an address is one of these, or in one of these CIDR ranges. */
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
  /** Groups that have to be the same from the first bit to the last. */
  readonly groups: number;
  /** How far the group behind them has to be shifted to be left with the bits that have to be the same. */
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

/** From the last group to the first: that is where most differ. */
function isIn(ip: Ip, { network, groups, shift }: Range): boolean {
  if (shift < groupBits && (ip[groups] ?? 0) >> shift !== (network[groups] ?? 0) >> shift) return false;
  for (let n = groups - 1; n >= 0; n--) {
    if (ip[n] !== network[n]) return false;
  }
  return true;
}

/** 32 bits, or -1. */
function parseIpv4(text: string, start: number, end: number): number {
  let bits = 0;
  let octet = -1;
  let dots = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === dot) {
      if (octet === -1 || ++dots > 3) return -1;
      bits = bits * 256 + octet;
      octet = -1;
    } else {
      if (code < zero || code > nine || octet === 0) return -1;
      octet = Math.max(0, octet) * 10 + code - zero;
      if (octet > 255) return -1;
    }
  }
  return dots === 3 && octet !== -1 ? bits * 256 + octet : -1;
}

function readIpv4(text: string, start: number, end: number, ip: number[]): boolean {
  const bits = parseIpv4(text, start, end);
  ip[0] = ip[1] = ip[2] = ip[3] = ip[4] = 0;
  ip[5] = 0xffff;
  ip[6] = bits >>> groupBits;
  ip[7] = bits & 0xffff;
  return bits !== -1;
}

function readIpv6(text: string, start: number, end: number, groups: number[]): boolean {
  let count = 0;
  /** Where `::` stands for zeros. */
  let gap = -1;
  let group = 0;
  let digits = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const digit = code < hexDigits.length ? (hexDigits[code] ?? noDigit) : noDigit;
    if (digit !== noDigit) {
      if (digits++ === 4) return false;
      group = group * 16 + digit;
    } else if (code === dot) {
      const bits = parseIpv4(text, at - digits, end);
      if (bits === -1 || count > groupCount - 2) return false;
      groups[count++] = bits >>> groupBits;
      group = bits & 0xffff;
      digits = 1;
      break;
    } else if (code === percent && at > start && (digits > 0 || gap === count)) {
      break; // A zone, which is not part of the address.
    } else if (code !== colon || count === groupCount) {
      return false;
    } else if (digits > 0) {
      if (at === end - 1) return false;
      groups[count++] = group;
      group = digits = 0;
    } else {
      // No digits between two colons, of which the first may begin the text.
      if (at === start && (++at === end || text.charCodeAt(at) !== colon)) return false;
      if (gap !== -1) return false;
      gap = count;
    }
  }
  if (digits > 0) {
    if (count === groupCount) return false;
    groups[count++] = group;
  }
  if (gap === -1) return count === groupCount;
  if (count === groupCount) return false;
  // By hand: copyWithin leaves compiled code.
  const zeros = groupCount - count;
  for (let n = groupCount - 1; n >= gap; n--) groups[n] = n >= gap + zeros ? (groups[n - zeros] ?? 0) : 0;
  return true;
}

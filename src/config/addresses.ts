/**
 * Hosts, networks and URLs, as settings spell them.
 */
import { BlockList, isIP } from 'node:net';

/** Whether a host is on the loopback interface, as a name or an address; IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || (isIP(bare) === 4 && bare.startsWith('127.')) || bare === '::1';
}

/** A host to listen on. */
export const isListenHost = (text: string) => isIP(text) !== 0 || /^[\w.-]+$/.test(text);

/** `0.0.0.0` and `::`, however they are written. */
const isWildcard = (host: string) => /^[0.:]+$/.test(host);

/** Whether listening on one host takes a port of the other. Names are not resolved. */
export function overlap(one: string, other: string): boolean {
  // `::` takes IPv4's addresses too.
  const takes = (all: string, host: string) => isWildcard(all) && (all.includes(':') || isIP(host) !== 6);
  const isBothLoopback = isLoopback(one) && isLoopback(other);
  return (
    one === other || takes(one, other) || takes(other, one) || (isBothLoopback && [one, other].includes('localhost'))
  );
}

/** An https: origin; http: on loopback only. */
export function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || url.origin !== text) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname));
}

/** The same with a path. */
export function isTokenUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, pathname } = new URL(text);
  return text === origin + pathname && isBaseUrl(origin);
}

/** An origin as browsers send it (RFC 6454 §6.2). */
export function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:[^*]*$/.test(text) && new URL(text).origin === text;
}

/** A network, or one of Express's names for some. */
export function isProxyRange(text: string): boolean {
  return ['loopback', 'linklocal', 'uniquelocal'].includes(text) || isNetwork(text);
}

/** An address or a CIDR range, but not the whole Internet. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix] = text.split('/');
  const family = isIP(address);
  if (family === 0) return false;
  if (prefix === undefined) return true;
  // A prefix of 0 would trust every address: any caller could then choose its own.
  if (!/^[1-9]\d{0,2}$/.test(prefix)) return false;
  try {
    new BlockList().addSubnet(address, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
    return true;
  } catch {
    return false;
  }
}

/**
 * The Host allow-list: prevents web pages from reading Sendgate through DNS rebinding.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

export const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** Whether the Host of a request, without its port, is allowed. */
export type HostRule = (req: IncomingMessage) => boolean;

export function allowHosts(allowedHosts: readonly string[]): HostRule {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return (req) => allowed.has(hostName(req));
}

/**
 * The rule of the management listener: allows the list and any address. Probes and scrapers use addresses; a rebinding page
 * must use a name.
 */
export function allowHostsAndAddresses(allowedHosts: readonly string[]): HostRule {
  const isAllowed = allowHosts([...loopbackHosts, ...allowedHosts]);
  return (req) => isAllowed(req) || isIP(hostName(req).replace(/^\[|\]$/g, '')) !== 0;
}

/** A target in absolute form overrides `Host` (RFC 9112 §3.2.2). */
const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;

function hostName({ url = '', headers }: IncomingMessage): string {
  const host = url.startsWith('/') ? headers.host : (absolute.exec(url)?.[1] ?? headers.host);
  return (host ?? '').toLowerCase().replace(/:\d{1,5}$/, '');
}

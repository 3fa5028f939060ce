/**
 * The Host allow-list, which keeps a web page from reading Sendgate through DNS rebinding.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { Problem } from '../problems.ts';

export const loopbackHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Lets requests through whose Host, without its port, is on the list; refuses others with `misdirected-request`. */
export function hostGuard(allowedHosts: readonly string[]): Middleware {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  return (req, _res, next) => {
    if (allowed.has(hostName(req))) next();
    else next(new Problem('misdirected-request'));
  };
}

/**
 * The guard of the management listener: besides the list, any address, since probes and scrapers ask by address and a
 * rebinding page has to ask by name.
 */
export function isAllowedOrAddress(req: IncomingMessage, allowedHosts: readonly string[]): boolean {
  const host = hostName(req);
  return isIP(host.replace(/^\[|\]$/g, '')) !== 0 || loopbackHosts.includes(host) || allowedHosts.includes(host);
}

function hostName(req: IncomingMessage): string {
  return (req.headers.host ?? '').toLowerCase().replace(/:\d{1,5}$/, '');
}

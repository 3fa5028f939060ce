/**
 * Where a request comes from.
 */
import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';

export type AddressOf = (req: IncomingMessage) => string;

/**
 * The address of the peer or, where the peer is a trusted proxy, the last one in `X-Forwarded-For` that is not.
 *
 * @param trustProxy addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal`
 */
export function addressOf(trustProxy: readonly string[]): AddressOf {
  if (trustProxy.length === 0) return (req) => req.socket.remoteAddress ?? 'unknown';
  const trusted = proxyAddr.compile([...trustProxy]);
  return (req) => proxyAddr(req, trusted) ?? 'unknown';
}

/**
 * Where a request comes from.
 */
import type { IncomingMessage } from 'node:http';
import proxyAddr from 'proxy-addr';

/** IPv4 in the clothes of IPv6, as a socket that listens on both has it. */
const mapped = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

export class Addresses {
  readonly #trusted: ((address: string, hop: number) => boolean) | undefined;

  /** @param trustProxy addresses, CIDR ranges, `loopback`, `linklocal`, `uniquelocal` */
  constructor(trustProxy: readonly string[]) {
    this.#trusted = trustProxy.length === 0 ? undefined : proxyAddr.compile([...trustProxy]);
  }

  /** The peer's address or, where the peer is a trusted proxy, the last one in `X-Forwarded-For` that is none. */
  of(req: IncomingMessage): string {
    const address = this.#trusted ? proxyAddr(req, this.#trusted) : req.socket.remoteAddress;
    if (address === undefined) return 'unknown';
    return address.startsWith('::') ? address.replace(mapped, '') : address;
  }

  /** Whether the peer is a trusted proxy. */
  isFromProxy(req: IncomingMessage): boolean {
    return this.#trusted?.(req.socket.remoteAddress ?? '', 0) ?? false;
  }
}

/**
 * Reports the proxy on the way to Constant Contact, and each change of its state once.
 */
import { nameOf, type OutboundProxies, proxyFor } from '../config/outbound-proxy.ts';
import type { Config } from '../config/schema.ts';
import { serversCalled } from '../config/sections/constant-contact.ts';
import type { Emit } from '../events.ts';

export interface ProxyLog {
  failed(code: string): void;
  /** Constant Contact answered. */
  worked(): void;
}

export function logOfProxy({ constantContact }: Config, proxies: OutboundProxies, emit: Emit): ProxyLog {
  const servers = serversCalled(constantContact).filter((server) => proxyFor(server, proxies));
  const proxy = proxies.proxy ? nameOf(proxies.proxy) : '';
  if (servers.length > 0) emit('outbound_proxy.used', { proxy, servers });
  let failure: string | undefined;
  return {
    failed: (code) => {
      if (code !== failure) emit('outbound_proxy.failed', { proxy, code });
      failure = code;
    },
    worked: () => {
      if (failure !== undefined) emit('outbound_proxy.recovered', { proxy });
      failure = undefined;
    },
  };
}

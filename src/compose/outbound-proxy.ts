/**
 * Reports the proxy on the way to Constant Contact: once that it fails, and once that it works again. `upstream.call_failed` has the
 * code of each failure.
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
  const variable = proxies.proxy?.variable ?? '';
  if (servers.length > 0) emit('outbound_proxy.used', { proxy, servers });
  let isDown = false;
  return {
    failed: (code) => {
      if (!isDown) emit('outbound_proxy.failed', { proxy, code, variable });
      isDown = true;
    },
    worked: () => {
      if (isDown) emit('outbound_proxy.recovered', { proxy });
      isDown = false;
    },
  };
}

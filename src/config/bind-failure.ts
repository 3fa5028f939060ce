/**
 * Why an address cannot be listened on: which setting to change.
 */
import type { Loaded } from './load.ts';

/** Its message is for the operator, who needs no stack. */
export class BindFailure extends Error {
  override readonly name = 'BindFailure';
}

/** The failure of a listener's `listen`, in words. Errors that are not about the address stay as they are. */
export function explainBindFailure(error: unknown, section: 'server' | 'management', loaded: Loaded): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const { host, port } = loaded.config[section];
  const [atHost, atPort] = [loaded.where(`${section}.host`), loaded.where(`${section}.port`)];
  switch (code) {
    case 'EADDRINUSE':
      return new BindFailure(`${atPort}: port ${port} of ${host} is in use (${code}); allowed: a free port`);
    case 'EACCES':
      return new BindFailure(
        `${atPort}: this user may not listen on port ${port} (${code}); allowed: 1024 and above, or any with CAP_NET_BIND_SERVICE`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL': {
      const hint = atHost.includes('(HOST)') ? '; or unset HOST, which some shells set to the name of the machine' : '';
      return new BindFailure(
        `${atHost}: ${host} is not an address of this machine (${code}); allowed: an address of it, 127.0.0.1, 0.0.0.0 or ::${hint}`,
      );
    }
    default:
      return error;
  }
}

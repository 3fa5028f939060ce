/**
 * The servers that Sendgate calls, and connections to them as a call makes them.
 */
import type { Loaded } from '../config/load.ts';
import { type OutboundProxy, proxyFor } from '../config/outbound-proxy.ts';
import { baseUrls } from '../config/sections/constant-contact.ts';
import { Problem } from '../problems.ts';
import { ConnectionFailure, Transport } from '../upstream/transport.ts';

export interface Target {
  /** The server, for people. */
  readonly name: string;
  readonly url: URL;
  /** The setting that it comes from, with its variable or the line of its file. */
  readonly setting: string;
  /** The proxy on the way there; undefined to connect directly. */
  readonly proxy: OutboundProxy | undefined;
  connection(userAgent: string): Transport;
}

/** The API and, with v3, where tokens are refreshed. */
export interface Targets {
  readonly api: Target;
  readonly tokens: Target | undefined;
}

export function targetsOf(loaded: Loaded): Targets {
  const { api, baseUrl, oauth } = loaded.config.constantContact;
  return {
    api: target(loaded, 'Constant Contact', baseUrl || baseUrls[api], 'constantContact.baseUrl'),
    tokens:
      api === 'v3' ? target(loaded, 'the token endpoint', oauth.tokenUrl, 'constantContact.oauth.tokenUrl') : undefined,
  };
}

function target({ config, proxies, where }: Loaded, name: string, address: string, path: string): Target {
  const { timeoutMs, maxResponseBytes } = config.constantContact;
  const url = new URL(address);
  const proxy = proxyFor(address, proxies);
  return {
    ...{ name, url, proxy, setting: where(path) },
    connection: (userAgent) => new Transport({ baseUrl: url.origin, userAgent, timeoutMs, maxResponseBytes, proxy }),
  };
}

/** Opens a connection without a request. Returns why there is none, from a closed set. */
export async function failureOfConnecting(
  { connection }: Target,
  userAgent: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const transport = connection(userAgent);
  // Ends a tunnel that is being opened, too.
  const close = () => transport.close();
  signal.addEventListener('abort', close);
  try {
    await transport.connect(signal);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  } finally {
    signal.removeEventListener('abort', close);
    close();
  }
}

/** Returns the error code of a failed connection, or `timeout`, `redirect` or `too-large`. */
export function reasonOf(error: unknown): string {
  if (error instanceof ConnectionFailure) return error.code;
  if (error instanceof Problem) return error.reason ?? error.code;
  throw error;
}

/**
 * Judges connections to Constant Contact by the error of a failed one.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Loaded } from '../config/load.ts';
import { nameOf, type OutboundProxy, proxyFor } from '../config/outbound-proxy.ts';
import type { Config } from '../config/schema.ts';
import { baseUrls } from '../config/sections/constant-contact.ts';
import { Problem } from '../problems.ts';
import { ConnectionFailure, Transport } from '../upstream/transport.ts';
import type { CheckResult } from './check-result.ts';

/** The end of a connection: where it leads, and which setting says so. */
export interface Target {
  /** What is reached there, for people. */
  readonly name: string;
  readonly url: URL;
  readonly setting: string;
  /** The proxy on the way there; undefined to connect directly. */
  readonly proxy: OutboundProxy | undefined;
}

/** Where Sendgate connects to: the API first, then, with v3, where tokens are refreshed. */
export function targetsOf({ config, proxies }: Loaded): readonly [Target, ...Target[]] {
  const { api, baseUrl, oauth } = config.constantContact;
  const target = (name: string, text: string, setting: string): Target => ({
    ...{ name, setting, url: new URL(text), proxy: proxyFor(text, proxies) },
  });
  const constantContact = target('Constant Contact', baseUrl || baseUrls[api], 'constantContact.baseUrl');
  if (api === 'v2') return [constantContact];
  return [constantContact, target('the token endpoint', oauth.tokenUrl, 'constantContact.oauth.tokenUrl')];
}

export function transportTo({ url, proxy }: Target, { constantContact }: Config, userAgent: string): Transport {
  const { timeoutMs, maxResponseBytes } = constantContact;
  return new Transport({ baseUrl: url.origin, userAgent, timeoutMs, maxResponseBytes, proxy });
}

const hostOf = ({ url }: Target) => url.hostname.replace(/^\[|\]$/g, '');

/** Resolves the name of a target as a call does; through a proxy, which resolves it itself, names that. */
export async function checkName(target: Target): Promise<CheckResult> {
  const { name, proxy } = target;
  if (proxy) return { kind: 'proxy', check: `proxy to ${name}`, state: 'note', found: `${nameOf(proxy)} is used` };
  const host = hostOf(target);
  const about = { kind: 'network', check: `name of ${name}` } as const;
  if (isIP(host) !== 0) return { ...about, state: 'ok', found: `${host} is an address` };
  try {
    const addresses: LookupAddress[] = await lookup(host, { all: true });
    const [first] = addresses;
    const more = addresses.length > 1 ? ` and ${addresses.length - 1} more` : '';
    return { ...about, state: 'ok', found: `${host} is ${first?.address}${more}` };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return { ...about, state: 'failed', ...unresolved(target, code) };
  }
}

const unresolved = (target: Target, code: string) => ({
  found: `${hostOf(target)} does not resolve (${code})`,
  remedy: `correct ${target.setting}, or the resolver of this machine; if only a proxy leads out, set HTTPS_PROXY`,
});

/** Opens a connection without a request. Returns why there is none, from a closed set. */
export async function failureOfConnecting(
  transport: Pick<Transport, 'connect'>,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await transport.connect(signal);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** Returns the error code of a failed connection, or `timeout`, `redirect` or `too-large`. */
export function reasonOf(error: unknown): string {
  if (error instanceof ConnectionFailure) return error.code;
  if (error instanceof Problem) return error.reason ?? error.code;
  throw error;
}

const unknownAuthority =
  'name the authority in NODE_EXTRA_CA_CERTS=/path/of/certificates.pem and restart (a proxy that reads TLS traffic brings another one)';

/** Errors of certificates (Node's documentation, "X509 certificate error codes") and of handshakes. */
const tlsErrors: Readonly<Record<string, (target: Target) => { found: string; remedy: string }>> = {
  CERT_HAS_EXPIRED: () => ({ found: 'the certificate has expired', remedy: 'compare the clock of this machine' }),
  CERT_NOT_YET_VALID: () => ({
    found: 'the certificate is not valid yet',
    remedy: 'compare the clock of this machine',
  }),
  ERR_TLS_CERT_ALTNAME_INVALID: (target) => ({
    found: `the certificate is not for ${hostOf(target)}`,
    remedy: `correct ${target.setting}, or what the name resolves to`,
  }),
};
const authorityErrors =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE|CERT_UNTRUSTED|INVALID_CA)$/;
const otherTlsErrors = /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|CRL_|ERROR_IN_|HOSTNAME_MISMATCH)/;
const nameErrors = /^(ENOTFOUND|EAI_\w+)$/;

/** Judges a failed connection by its reason. */
export function judgeFailure(target: Target, reason: string): CheckResult {
  if (reason.startsWith('PROXY_')) return judgeProxyFailure(target, reason.slice('PROXY_'.length));
  const tls = tlsProblem(target, reason);
  if (tls) return { kind: 'tls', check: `TLS to ${target.name}`, state: 'failed', ...tls };
  const about = { kind: 'network', check: `connection to ${target.name}`, state: 'failed' } as const;
  if (nameErrors.test(reason)) return { ...about, ...unresolved(target, reason) };
  const { host } = target.url;
  if (reason === 'timeout') return { ...about, found: `${host} does not answer in time`, remedy: blocked(target) };
  return { ...about, found: `no connection to ${host} (${reason})`, remedy: blocked(target) };
}

/** @param reason the proxy's status, or why there is no connection to it */
function judgeProxyFailure({ name, proxy }: Target, reason: string): CheckResult {
  const about = { kind: 'proxy', check: `proxy to ${name}`, state: 'failed' } as const;
  const it = proxy ? nameOf(proxy) : 'it';
  // Tinyproxy answers 401 to wrong credentials, 407 to none.
  if (reason === '401' || reason === '407') {
    const remedy = 'put a user and a password into the URL of the proxy (HTTPS_PROXY), percent-encoded';
    return { ...about, found: `${it} requires credentials, or others (HTTP ${reason})`, remedy };
  }
  if (/^\d+$/.test(reason)) {
    return { ...about, found: `${it} refuses (HTTP ${reason})`, remedy: 'let the proxy pass this host' };
  }
  return { ...about, found: `${it} cannot be used (${reason})`, remedy: 'correct HTTPS_PROXY, or NO_PROXY' };
}

const blocked = ({ setting }: Target) =>
  `correct ${setting}, or let the firewall pass it; if only a proxy leads out, set HTTPS_PROXY`;

function tlsProblem(target: Target, reason: string): Pick<CheckResult, 'found' | 'remedy'> | undefined {
  const known = Object.hasOwn(tlsErrors, reason) ? tlsErrors[reason]?.(target) : undefined;
  if (known) return { ...known, found: `${known.found} (${reason})` };
  if (authorityErrors.test(reason)) {
    return { found: `the certificate is from an unknown authority (${reason})`, remedy: unknownAuthority };
  }
  if (!otherTlsErrors.test(reason)) return undefined;
  return { found: `the handshake failed (${reason})`, remedy: `see whether TLS is spoken at ${target.url.host}` };
}

/** Judges an open connection. */
export function judgeConnected({ name, url }: Target): readonly CheckResult[] {
  const connected: CheckResult = { kind: 'network', check: `connection to ${name}`, state: 'ok', found: url.host };
  const tls: CheckResult =
    url.protocol === 'https:'
      ? { kind: 'tls', check: `TLS to ${name}`, state: 'ok', found: 'the certificate is trusted' }
      : { kind: 'tls', check: `TLS to ${name}`, state: 'note', found: 'none, since the URL begins with http:' };
  return [connected, tls];
}

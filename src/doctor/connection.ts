/**
 * Judges connections to Constant Contact by the error of a failed one.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { nameOf, type OutboundProxies } from '../config/outbound-proxy.ts';
import { explainTunnelCode, isTunnelCode } from '../config/tunnel-code.ts';
import type { CheckResult } from './check-result.ts';
import type { Target } from './target.ts';

const hostOf = ({ url }: Target) => url.hostname.replace(/^\[|\]$/g, '');

/** Which proxy is on the way to a target. */
export function nameProxy({ name, proxy }: Target, { proxy: any }: OutboundProxies): CheckResult {
  const about = { kind: 'proxy', check: `proxy to ${name}`, state: 'note' } as const;
  if (proxy) return { ...about, found: `${nameOf(proxy)} is used (${proxy.variable}), and resolves the name` };
  const found = any ? `none, by NO_PROXY or since the host is loopback (${nameOf(any)} is for others)` : 'none';
  return { ...about, found };
}

/** Resolves the name of a target as a direct call does; a proxy resolves it itself. */
export async function checkName(target: Target): Promise<CheckResult> {
  const host = hostOf(target);
  const about = { kind: 'network', check: `name of ${target.name}` } as const;
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
  if (isTunnelCode(reason)) return judgeProxyFailure(target, reason);
  const tls = tlsProblem(target, reason);
  if (tls) return { kind: 'tls', check: `TLS to ${target.name}`, state: 'failed', ...tls };
  const about = { kind: 'network', check: `connection to ${target.name}`, state: 'failed' } as const;
  if (nameErrors.test(reason)) return { ...about, ...unresolved(target, reason) };
  const { host } = target.url;
  if (reason === 'timeout') return { ...about, found: `${host} does not answer in time`, remedy: blocked(target) };
  return { ...about, found: `no connection to ${host} (${reason})`, remedy: blocked(target) };
}

function judgeProxyFailure({ name, proxy }: Target, code: string): CheckResult {
  const { found, remedy } = explainTunnelCode(code, proxy?.variable ?? 'HTTPS_PROXY');
  const about = { kind: 'proxy', check: `proxy to ${name}`, state: 'failed' } as const;
  return { ...about, found: `${proxy ? nameOf(proxy) : 'it'} ${found}`, remedy };
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
export function judgeConnected({ name, url }: Pick<Target, 'name' | 'url'>): readonly CheckResult[] {
  const connected: CheckResult = { kind: 'network', check: `connection to ${name}`, state: 'ok', found: url.host };
  const tls: CheckResult =
    url.protocol === 'https:'
      ? { kind: 'tls', check: `TLS to ${name}`, state: 'ok', found: 'the certificate is trusted' }
      : { kind: 'tls', check: `TLS to ${name}`, state: 'note', found: 'none, since the URL begins with http:' };
  return [connected, tls];
}

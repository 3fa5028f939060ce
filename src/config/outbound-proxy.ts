/**
 * The forward proxy between Sendgate and Constant Contact, from the variables that curl, Go and Node read, too.
 */
import { BlockList, isIP } from 'node:net';
import { isLoopback } from './addresses.ts';
import type { Environment } from './environment.ts';
import type { Mistakes } from './mistakes.ts';
import { isQuoted, quoted } from './words.ts';

/** Plain data: the order for the process that refreshes tokens includes it. */
export interface OutboundProxy {
  /** The variable that names it. */
  readonly variable: string;
  /** Whether the connection to the proxy itself is TLS. */
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** The value of `Proxy-Authorization`. A secret. */
  readonly authorization?: string | undefined;
}

export interface OutboundProxies {
  readonly proxy: OutboundProxy | undefined;
  /** Hosts that are called directly. */
  readonly noProxy: readonly string[];
  /** What logs must not show. */
  readonly secrets: readonly string[];
}

const proxyAllowed =
  'http://[user:password@]host[:port], with https: for TLS to the proxy; special characters in the password percent-encoded';

const noProxyAllowed = '*, names, addresses and CIDR ranges, separated by commas, each with :port or without';

const hasPort = /:\d+\/?$/;

/** Redacting a shorter text would garble the log. Nothing prints it either way. */
const shortestRedacted = 8;

/**
 * Reads `HTTPS_PROXY`, or `HTTP_PROXY` without it (as npm and Node's fetch do), and `NO_PROXY`; the lower-case forms win, as in
 * curl.
 *
 * @param mistakes say, as do `warnings`, what is wrong, never what the value is
 */
export function readOutboundProxies(
  env: Environment,
  { mistakes, warnings }: { readonly mistakes: Mistakes; readonly warnings: string[] },
): OutboundProxies {
  const variable = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'].find((name) => env[name]);
  const noProxyVariable = env['no_proxy'] ? 'no_proxy' : 'NO_PROXY';
  const noProxy = (env[noProxyVariable] ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  if (variable === undefined) return { proxy: undefined, noProxy, secrets: [] };
  const faults = new Set(noProxy.map(faultOfEntry).filter((fault) => fault !== undefined));
  for (const fault of faults)
    warnings.push(`${noProxyVariable}: an entry ${fault}, and has no effect; allowed: ${noProxyAllowed}`);
  const text = env[variable] ?? '';
  const parsed = parseProxyUrl(text.trim(), variable);
  if (!parsed) mistakes.add(variable, `${variable}: ${faultOf(text.trim())}; allowed: ${proxyAllowed}`);
  const { proxy, passwords = [] } = parsed ?? {};
  const basic = proxy?.authorization?.slice('Basic '.length);
  const secrets = basic === undefined ? [] : [text, basic, ...passwords];
  return { proxy, noProxy, secrets: secrets.filter((secret) => secret.length >= shortestRedacted) };
}

interface Parsed {
  readonly proxy: OutboundProxy;
  /** The password as it is, and as it is in the URL. */
  readonly passwords: readonly string[];
}

const hasScheme = (text: string) => text.includes('://');

function faultOf(text: string): string {
  if (isQuoted(text)) return quoted;
  return hasScheme(text) || hasPort.test(text) ? 'is not valid' : 'has neither a scheme nor a port';
}

function faultOfEntry(entry: string): string | undefined {
  if (/["']/.test(entry)) return 'is in quotes, or has one';
  if (hasScheme(entry)) return 'is a URL';
  if (entry.includes(';')) return 'has a semicolon';
  return isEntry(entry) ? undefined : 'is not valid';
}

function isEntry(entry: string): boolean {
  const { host, port } = partsOf(entry);
  if (entry === '*') return true;
  if (port !== undefined && Number(port) > 65_535) return false;
  const [start = '', prefix] = host.split('/');
  if (isIP(start) === 0) return /^(\*?\.)?[\w-]+(\.[\w-]+)*\.?$/.test(host);
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (isIP(start) === 6 ? 128 : 32));
}

function parseProxyUrl(text: string, variable: string): Parsed | undefined {
  // A bare word may be `none` or `direct`, which other programs know.
  if (!hasScheme(text) && !hasPort.test(text)) return undefined;
  // Without a scheme it is http:, as in curl.
  const whole = hasScheme(text) ? text : `http://${text}`;
  try {
    const { protocol, hostname, port, username, password, pathname, search, hash } = new URL(whole);
    const isTls = protocol === 'https:';
    if ((!isTls && protocol !== 'http:') || pathname !== '/' || search || hash || port === '0') return undefined;
    const address = { variable, isTls, host: withoutBrackets(hostname), port: Number(port || (isTls ? 443 : 80)) };
    if (!username && !password) return { proxy: address, passwords: [] };
    const plain = decodeURIComponent(password);
    const authorization = `Basic ${Buffer.from(`${decodeURIComponent(username)}:${plain}`).toString('base64')}`;
    return { proxy: { ...address, authorization }, passwords: [plain, password] };
  } catch {
    return undefined;
  }
}

/** The proxy by host and port, which is all that may be shown of it. */
export function nameOf({ host, port }: OutboundProxy): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/**
 * Returns the proxy for a URL; undefined to call it directly. A loopback host is always called directly, as in Go: it is the
 * only one that may be http:, and its requests, with the credentials in them, stay on the machine.
 */
export function proxyFor(url: string, { proxy, noProxy }: OutboundProxies): OutboundProxy | undefined {
  const { protocol, hostname, port } = new URL(url);
  if (isLoopback(hostname)) return undefined;
  const target = { host: withoutBrackets(hostname), port: port || (protocol === 'https:' ? '443' : '80') };
  return noProxy.some((entry) => isNamed(target, entry)) ? undefined : proxy;
}

/**
 * Whether an entry of `NO_PROXY` names a target: `*`, a name, which includes its subdomains, an address or a CIDR range; each
 * with a port or without.
 */
function isNamed(target: { readonly host: string; readonly port: string }, entry: string): boolean {
  if (entry === '*') return true;
  const { host, port } = partsOf(entry);
  if (port !== undefined && port !== target.port) return false;
  if (isIP(target.host) > 0) return isWithin(target.host, host);
  const name = host.toLowerCase().replace(/^\*?\.|\.$/g, '');
  return target.host === name || target.host.endsWith(`.${name}`);
}

function partsOf(entry: string): { readonly host: string; readonly port: string | undefined } {
  const isBareIpv6 = isIP(entry.replace(/\/.*/, '')) === 6;
  const [, host = entry, port] = (isBareIpv6 ? undefined : /^(.+):(\d+)$/.exec(entry)) ?? [];
  return { host: withoutBrackets(host), port };
}

function isWithin(address: string, network: string): boolean {
  const [start = '', prefix] = network.split('/');
  const familyOf = (text: string) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  try {
    const list = new BlockList();
    if (prefix === undefined) list.addAddress(start, familyOf(start));
    else list.addSubnet(start, Number(prefix), familyOf(start));
    return list.check(address, familyOf(address));
  } catch {
    return false;
  }
}

const withoutBrackets = (host: string) => host.replace(/^\[|\]$/g, '');

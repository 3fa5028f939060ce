/**
 * The configuration in force, with secrets masked.
 */
import type { Loaded } from './load.ts';
import { nameOf, type OutboundProxies, proxyFor } from './outbound-proxy.ts';
import type { Config } from './schema.ts';
import { type SecretName, secretNames } from './secret-names.ts';
import { serversCalled } from './sections/constant-contact.ts';

export interface EffectiveConfig extends Config {
  readonly secrets: Readonly<Record<string, string>>;
  /** Each server that is called, and the proxy on the way to it. */
  readonly outboundProxy: Readonly<Record<string, string>>;
}

/**
 * Shows where secrets come from, not their values. It masks what identifies teams too: a header's value would let any caller
 * pose as that team, and a weak token could be guessed from its digest.
 */
export function effectiveConfig({ config, secrets, proxies }: Loaded): EffectiveConfig {
  const mask = (name: SecretName) => {
    const source = secrets[name];
    if (source === undefined) return '(not set)';
    return source.file === undefined ? '(set)' : `(set, from ${source.file})`;
  };
  const names = Object.keys(secretNames) as SecretName[];
  const teams = config.teams.map(({ header, tokensSha256, ...team }) => ({
    ...team,
    ...(header && { header: { ...header, value: '(set)' } }),
    tokensSha256: tokensSha256.map(() => '(set)'),
  }));
  return {
    ...{ ...config, teams },
    secrets: Object.fromEntries(names.map((name) => [name, mask(name)])),
    outboundProxy: proxyOfEach(config, proxies),
  };
}

function proxyOfEach({ constantContact }: Config, proxies: OutboundProxies): Readonly<Record<string, string>> {
  const proxyOf = (server: string) => {
    const proxy = proxyFor(server, proxies);
    return proxy ? nameOf(proxy) : '(none)';
  };
  return Object.fromEntries(serversCalled(constantContact).map((server) => [server, proxyOf(server)]));
}

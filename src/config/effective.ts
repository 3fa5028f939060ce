/**
 * The configuration that is in force, in a form that may be shown.
 */
import type { Loaded } from './load.ts';
import type { Config } from './schema.ts';
import { type SecretName, secretNames } from './secrets.ts';

export interface EffectiveConfig extends Config {
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Secrets are told by where they come from, never by what they are. Nor are the values by which teams are recognised: who
 * knows a header's could be that team, and a token could be guessed from its digest.
 */
export function effectiveConfig({ config, secrets }: Loaded): EffectiveConfig {
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
  return { ...config, teams, secrets: Object.fromEntries(names.map((name) => [name, mask(name)])) };
}

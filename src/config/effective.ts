/**
 * The configuration in force, in a form that may be shown.
 */
import type { Loaded } from './load.ts';
import type { Config } from './schema.ts';
import { type SecretName, secretNames } from './secret-sources.ts';

export interface EffectiveConfig extends Config {
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * Shows where secrets come from, and not their values. Values that identify teams are masked too: a header's value would let
 * any caller be that team, and a token could be guessed from its digest.
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

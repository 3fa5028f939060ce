/**
 * The configuration that is in force, in a form that may be shown.
 */
import type { Loaded } from './load.ts';
import type { Config } from './schema.ts';

export interface EffectiveConfig extends Config {
  readonly secrets: Readonly<Record<string, string>>;
}

/** Secrets are told by where they come from, never by what they are. */
export function effectiveConfig({ config, secrets }: Loaded): EffectiveConfig {
  const mask = (source: Loaded['secrets']['accessToken']) =>
    source === undefined ? '(not set)' : source.file === undefined ? '(set)' : `(set, from ${source.file})`;
  return { ...config, secrets: { apiKey: mask(secrets.apiKey), accessToken: mask(secrets.accessToken) } };
}

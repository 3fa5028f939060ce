/**
 * What a reload of the configuration changes, and what has to wait for a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import { contradictions } from './contradictions.ts';
import type { Config } from './schema.ts';
import { settings } from './settings.ts';
import { valueAt, withValueAt } from './tree.ts';

export interface Changes {
  /** The configuration to use: the new values of live settings, and the present ones of all others. */
  readonly config: Config;
  /** Paths of live settings that changed. */
  readonly changed: readonly string[];
  /** Paths of settings that changed and need a restart. */
  readonly needRestart: readonly string[];
  /** Rules that the configuration to use would break, though the loaded one does not. */
  readonly mistakes: readonly string[];
}

/** Compares the configuration in use with one just loaded. */
export function changesBetween(present: Config, loaded: Config): Changes {
  const differing = settings()
    .map((setting) => ({ ...setting, at: setting.path.split('.') }))
    .filter(({ at }) => !isDeepStrictEqual(valueAt(present, at), valueAt(loaded, at)));
  const live = differing.filter(({ isLive }) => isLive);
  const config = live.reduce<Config>((config, { at }) => withValueAt(config, at, valueAt(loaded, at)), present);
  return {
    config,
    changed: live.map(({ path }) => path),
    needRestart: differing.filter(({ isLive }) => !isLive).map(({ path }) => path),
    mistakes: contradictions(config).map(({ text }) => text),
  };
}

/** Names the teams that were added, removed and changed. */
export function teamChanges({ teams: before }: Config, { teams: after }: Config) {
  const names = (teams: Config['teams']) => teams.map(({ name }) => name);
  const [old, present] = [names(before), names(after)];
  return {
    added: present.filter((name) => !old.includes(name)),
    removed: old.filter((name) => !present.includes(name)),
    changed: after
      .filter((team) => before.some((former) => former.name === team.name && !isDeepStrictEqual(former, team)))
      .map(({ name }) => name),
  };
}

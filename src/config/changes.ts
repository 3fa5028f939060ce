/**
 * What a reload of the configuration changes, and what has to wait for a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import { contradictions, withCompared } from './contradictions.ts';
import type { Config } from './schema.ts';
import { settings } from './settings.ts';
import { valueAt, withValueAt } from './tree.ts';

export interface Changes {
  /** The configuration to use: the new values of settings in `changed`, and the present ones of all others. */
  readonly config: Config;
  /** Paths of live settings that changed and can apply now. */
  readonly changed: readonly string[];
  /** Paths of settings that changed and need a restart. */
  readonly needRestart: readonly string[];
}

/**
 * Compares the configuration in use with one just loaded. A live setting waits for a restart where its new value contradicts the
 * present one of a setting that does; so do those that rules compare with it, since half of what belongs together may admit or
 * refuse callers as neither configuration does.
 */
export function changesBetween(present: Config, loaded: Config): Changes {
  const differing = settings().filter(
    ({ path }) => !isDeepStrictEqual(settingOf(present, path), settingOf(loaded, path)),
  );
  const live = differing.filter(({ isLive }) => isLive).map(({ path }) => path);
  const broken = contradictions(withValuesOf(loaded, live, present));
  const waiting = withCompared(broken.flatMap(({ of }) => of));
  const changed = live.filter((path) => !waiting.includes(path));
  return {
    config: withValuesOf(loaded, changed, present),
    changed,
    needRestart: differing.map(({ path }) => path).filter((path) => !changed.includes(path)),
  };
}

const settingOf = (config: Config, path: string) => valueAt(config, path.split('.'));

const withValuesOf = (source: Config, paths: readonly string[], config: Config) =>
  paths.reduce((mixed, path) => withValueAt(mixed, path.split('.'), settingOf(source, path)), config);

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

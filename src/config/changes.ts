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
  /** Paths of settings, or of teams in their list, that changed and need a restart. */
  readonly needRestart: readonly string[];
}

/**
 * Compares the configuration in use with one just loaded. A live setting waits for a restart where its new value contradicts the
 * present one of a setting that does; so do those that rules compare with it, since half of what belongs together may admit or
 * refuse callers as neither configuration does. Of the teams, only those with a header wait for a trusted proxy.
 */
export function changesBetween(present: Config, loaded: Config): Changes {
  const differing = settings().filter(
    ({ path }) => !isDeepStrictEqual(settingOf(present, path), settingOf(loaded, path)),
  );
  const live = differing.filter(({ isLive }) => isLive).map(({ path }) => path);
  const broken = contradictions(withValuesOf(loaded, live, present));
  const waiting = withCompared(broken.flatMap(({ of }) => of));
  const changed = live.filter((path) => !waiting.includes(path));
  const config = withValuesOf(loaded, changed, present);
  const needRestart = differing.map(({ path }) => path).filter((path) => !changed.includes(path));
  const mixed = { ...config, teams: teamsWithoutProxy(loaded, present) };
  // Without a team, required callers would all be refused.
  if (!waiting.includes('teams') || contradictions(mixed).length > 0) return { config, changed, needRestart };
  return {
    config: mixed,
    changed: isDeepStrictEqual(mixed.teams, present.teams) ? changed : [...changed, 'teams'],
    needRestart: needRestart.flatMap((path) => (path === 'teams' ? pathsOfHeaderTeams(loaded) : path)),
  };
}

/** The teams just loaded; those with a header as they are in use, or left out if they are new. */
const teamsWithoutProxy = (loaded: Config, present: Config) =>
  loaded.teams.flatMap((team) => (team.header ? present.teams.filter(({ name }) => name === team.name) : team));

const pathsOfHeaderTeams = ({ teams }: Config) =>
  teams.flatMap(({ header }, index) => (header ? `teams.${index}` : []));

const settingOf = (config: Config, path: string) => valueAt(config, path.split('.'));

const withValuesOf = (source: Config, paths: readonly string[], config: Config) =>
  paths.reduce((mixed, path) => withValueAt(mixed, path.split('.'), settingOf(source, path)), config);

/** Names the teams that were added, removed, changed, and moved among those that stay. */
export function teamChanges({ teams: before }: Config, { teams: after }: Config) {
  const names = (teams: Config['teams']) => teams.map(({ name }) => name);
  const [old, present] = [names(before), names(after)];
  const stayed = old.filter((name) => present.includes(name));
  return {
    added: present.filter((name) => !old.includes(name)),
    removed: old.filter((name) => !present.includes(name)),
    moved: present.filter((name) => old.includes(name)).filter((name, place) => name !== stayed[place]),
    changed: after
      .filter((team) => before.some((former) => former.name === team.name && !isDeepStrictEqual(former, team)))
      .map(({ name }) => name),
  };
}

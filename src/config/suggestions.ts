/**
 * "Did you mean …?": the settings and variables that an unknown name is close to.
 */
import { closestMatch } from 'leven';
import { secretNames } from './secret-names.ts';
import { derivedVariable, type Setting } from './settings.ts';

/** How many letters of a key may be wrong: two letters that changed places count two. An unknown key is a mistake anyway. */
const distanceOfKeys = (name: string) => (name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3)));

/** The same of variables, where it decides: programs beside Sendgate have theirs, such as `SENDGATE_HOME`. */
const distanceOfVariables = (name: string) => (name.length < 5 ? 1 : Math.max(2, Math.floor(name.length / 4)));

/** Returns what the closest name stands for, whatever the case of its letters. */
function closest(name: string, candidates: ReadonlyMap<string, string>, maxDistance: number): string | undefined {
  const known = [...candidates.keys()];
  const given = name.toLowerCase();
  const found = closestMatch(given, known, { maxDistance }) ?? known.find((one) => isShortFor(given, one));
  return found === undefined ? undefined : candidates.get(found);
}

/** Whether the last word of a name is cut off, as in `storage_dir`. */
const isShortFor = (name: string, known: string) =>
  name.length >= 3 && known.startsWith(name) && /^[a-z]+$/.test(known.slice(name.length));

const lastOf = (path: string) => path.slice(path.lastIndexOf('.') + 1);
const parentOf = (path: readonly string[]) => path.slice(0, -1).join('.');

/**
 * Returns the paths that an unknown key of the file may mean: its siblings first, then settings with that name elsewhere.
 *
 * @param siblings the names that are allowed beside it
 */
export function suggestPaths(
  path: readonly string[],
  siblings: readonly string[],
  known: readonly Setting[],
): readonly string[] {
  const name = path.at(-1) ?? '';
  const within = parentOf(path) === '' ? '' : `${parentOf(path)}.`;
  const byName = new Map(siblings.map((one) => [one.toLowerCase(), `${within}${one}`]));
  const sibling = closest(name, byName, distanceOfKeys(name));
  if (sibling !== undefined) return [sibling];
  const variable = known.find((setting) => setting.variable === name);
  if (variable) return [variable.path];
  const namesakes = known.filter(({ path: other }) => lastOf(other).toLowerCase() === name.toLowerCase());
  if (namesakes.length > 0) return namesakes.map(({ path: other }) => other);
  const byPath = new Map(known.map(({ path: other }) => [other.toLowerCase(), other]));
  const whole = closest(path.join('.'), byPath, distanceOfKeys(name));
  return whole === undefined ? [] : [whole];
}

/** Returns the variables that an unknown `SENDGATE_…` or `CONSTANT_CONTACT_…` may mean. */
export function suggestVariables(variable: string, known: readonly Setting[]): readonly string[] {
  const bare = withoutPrefix(variable);
  const variables = byBareName(known);
  const sameName = variables.get(bare);
  if (sameName !== undefined && variable.startsWith('CONSTANT_CONTACT_')) return [sameName];
  // `SENDGATE_PORT` for `PORT`
  const shortened = known.filter(({ path }) => withoutPrefix(derivedVariable(lastOf(path))) === bare);
  if (shortened.length > 0) return shortened.map((setting) => setting.variable);
  const found = closest(bare, variables, distanceOfVariables(bare));
  return found === undefined ? [] : [found];
}

/** All variables, by what is compared of them. */
function byBareName(known: readonly Setting[]): ReadonlyMap<string, string> {
  const secrets = Object.values(secretNames).flatMap((secret) => [secret, `${secret}_FILE`]);
  return new Map([
    ...known.map((setting) => [withoutPrefix(derivedVariable(setting.path)), setting.variable] as const),
    ...[...known.map((setting) => setting.variable), ...secrets].map((name) => [withoutPrefix(name), name] as const),
    ['config', 'SENDGATE_CONFIG'],
    ['config_file', 'SENDGATE_CONFIG'],
  ]);
}

/** What is compared: half of each name is the same prefix. */
const withoutPrefix = (variable: string) => variable.replace(/^(SENDGATE_)?(CONSTANT_CONTACT_)?/, '').toLowerCase();

/**
 * Validates a whole configuration and reports every mistake with its path and what is allowed.
 */
import { contradictions } from './contradictions.ts';
import { describeIssue, type Issue } from './issue-words.ts';
import type { Mistakes } from './mistakes.ts';
import { type Config, schema } from './schema.ts';
import { type SecretName, secretNames } from './secret-names.ts';
import { namesAt, type Setting } from './settings.ts';
import { suggestPaths } from './suggestions.ts';
import { removeAt, type Tree, valueAt } from './tree.ts';
import { didYouMean, isName, nested } from './words.ts';

/** Where settings come from. */
export interface Origins {
  readonly known: readonly Setting[];
  /** Whether a value is the text of a variable. */
  isText(path: readonly string[]): boolean;
  /** "server.port (PORT)", or "server.port (line 3 of /etc/sendgate.json)" */
  where(path: readonly string[]): string;
  /** Names the object around a path, with the place of the path itself. */
  whereIn(path: readonly string[]): string;
}

/**
 * Returns the configuration. Removes invalid values from the tree: they have their defaults, so that one run reports everything.
 * Undefined if a required value is missing.
 */
export function validate(tree: Tree, origins: Origins, mistakes: Mistakes): Config | undefined {
  const found = onceEach(schema.safeParse(tree).error?.issues.flatMap(pathsOf) ?? []);
  for (const { path, issue } of found) mistakes.add(path.join('.'), () => describe(path, issue, tree, origins));
  for (const { path } of found) removeAt(tree, path);
  const config = schema.safeParse(tree).data;
  // Settings of a file that cannot be read are not known.
  if (!config || mistakes.has('SENDGATE_CONFIG')) return config;
  const where = (path: string) => origins.where(path.split('.'));
  const broken = contradictions(config, where, (path) => !mistakes.has(path));
  for (const { about, text } of broken) mistakes.add(about, text);
  return config;
}

interface Found {
  readonly path: readonly string[];
  readonly issue: Issue;
}

/** One of each kind for each value: a number beyond JavaScript's integers is too large for two rules. */
function onceEach(found: readonly Found[]): readonly Found[] {
  return [...new Map(found.map((one) => [`${one.issue.code} ${one.path.join('.')}`, one])).values()];
}

function pathsOf(issue: Issue): readonly Found[] {
  const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  return paths.map((path) => ({ path: path.map(String), issue }));
}

function describe(path: readonly string[], issue: Issue, tree: Tree, origins: Origins): string {
  if (issue.code === 'unrecognized_keys') return describeUnknown(path, origins);
  return `${origins.where(path)}: ${describeIssue(issue, path, valueAt(tree, path), origins.isText(path))}`;
}

function describeUnknown(path: readonly string[], origins: Origins): string {
  const name = path.at(-1) ?? '';
  const where = origins.where(path);
  const secret = secretVariable(path);
  // Configuration files get copied, mailed and committed.
  if (secret)
    return `${where}: a secret does not belong in the configuration file; allowed: ${secret} or ${secret}_FILE`;
  const names = namesAt(path.slice(0, -1));
  const meant = suggestPaths(path, names, origins.known);
  // A path as one key: repeating it would not say what is wrong.
  const asWritten = name.includes('.') ? meant.map(nested) : meant;
  const hint = meant.length > 0 ? didYouMean(asWritten) : `allowed: ${names.join(', ')}`;
  if (isName(name)) return `${where}: is not a setting; ${hint}`;
  return `${origins.whereIn(path)}: a name in it is not a setting; ${hint}`;
}

/** The variable of the secret that a key of the file means. */
function secretVariable(path: readonly string[]): string | undefined {
  const name = path.at(-1) ?? '';
  if (path.join('.') === 'redis.url') return secretNames.redisUrl;
  if (Object.hasOwn(secretNames, name)) return secretNames[name as SecretName];
  return Object.values(secretNames).find((variable) => variable === name);
}

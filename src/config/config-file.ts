/**
 * The configuration file, which `SENDGATE_CONFIG` names.
 */
import { secretNames } from './secret-sources.ts';
import { isTree, type Tree } from './tree.ts';

/** Returns the settings in the file; `{}` without a file, and for a bad one, which adds to `mistakes`. */
export function readConfigFile(path: string | undefined, readFile: (path: string) => string, mistakes: string[]): Tree {
  if (!path) return {};
  let tree: unknown;
  try {
    tree = JSON.parse(readFile(path));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    mistakes.push(`SENDGATE_CONFIG: the file ${why}; allowed: the path of a JSON file`);
    return {};
  }
  if (!isTree(tree)) {
    mistakes.push('SENDGATE_CONFIG: the file is not a JSON object; allowed: { "server": { … }, … }');
    return {};
  }
  const { $schema: _, ...rest } = tree;
  refuseSecrets(rest, mistakes);
  return rest;
}

/** Configuration files get copied, mailed and committed, so they must not hold secrets. */
function refuseSecrets(tree: Tree, mistakes: string[]): void {
  const section = tree['constantContact'];
  if (!isTree(section)) return;
  for (const [key, variable] of Object.entries(secretNames)) {
    if (!(key in section)) continue;
    mistakes.push(
      `constantContact.${key}: a secret does not belong in the configuration file; allowed: ${variable} or ${variable}_FILE`,
    );
    delete section[key];
  }
}
